;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.mdns-proxy
  "`ontap mdns-proxy`: who asks a link for NAME.local is told what a DNS server says of NAME.DOMAIN (`ontap.model.mdns-proxy`)."
  (:require [ontap.model.mdns-proxy :as mdns-proxy]
            [ontap.ops.mdns-stage :as stage]
            [ontap.ops.note :as note]
            [ontap.publish.dns-client :as dns-client])
  (:import (ontap.sys EventLoop EventLoop$Handler)))

(set! *warn-on-reflection* true)

(defn- reply! [{:keys [speakers] :as stage} silent? message]
  (when @silent?
    (vreset! silent? false)
    (note/line! :info nil "the DNS server answers again"))
  (run! #(stage/step! stage % {:event/type :reply :reply/message message}) speakers))

(defn- listen! [{^EventLoop event-loop :loop :as stage} client silent?]
  (.add event-loop (dns-client/fd client) EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (loop []
              (when-let [message (dns-client/receive! client)]
                (reply! stage silent? message)
                (recur)))))))

(defn serve!
  "Answers on `links` (none: all) for the names below `domain` (of `ontap.model.mdns-name`) that the server `to` {:ip :port} knows, until
  SIGTERM or SIGINT; `ready` (fn []) is called once it does. Blocks; 0. Throws with :kind :exit."
  [{:keys [to domain links env ready words]}]
  (with-open [client (dns-client/open to)]
    (let [silent? (volatile! false)]
      (stage/run!!
       {:links links :env env
        :machine {:begin #(mdns-proxy/proxy-machine domain) :step mdns-proxy/step :due mdns-proxy/due}
        :begin   (fn [{:keys [speakers] :as stage}]
                   (listen! stage client silent?)
                   (note/line! :info nil (str "answers for NAME.local on " (apply str (interpose ", " (map (comp :place/name :place) speakers)))
                                              " with what " words))
                   (ready))
        :perform (fn [_ _ {:effect/keys [type] :ask/keys [message]}]
                   (case type
                     :ask    (dns-client/send! client message)
                     :silent (when-not @silent?
                               (vreset! silent? true)
                               (note/line! :warning nil (str "the DNS server does not answer: nobody is told of names until it does; `dig @"
                                                             (:ip to) " -p " (:port to) "` would not be, either")))))}))))
