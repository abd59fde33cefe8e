;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.mdns-proxy
  "`ontap mdns-proxy`: who asks a link for NAME.local is told what a DNS server says of NAME.DOMAIN (`ontap.model.mdns-proxy`)."
  (:require [clojure.string :as str]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-proxy :as mdns-proxy]
            [ontap.model.mistake :as mistake]
            [ontap.ops.mdns-stage :as stage]
            [ontap.ops.note :as note]
            [ontap.ops.process :as process]
            [ontap.publish.dns-client :as dns-client])
  (:import (ontap.sys EventLoop EventLoop$Handler SysException)))

(set! *warn-on-reflection* true)

(defn- client-of
  "A client of the server `to`. Throws with :kind :exit."
  [{:keys [ip] :as to}]
  (try (dns-client/open to)
       (catch IllegalArgumentException e (throw (process/exit 100 (str "--to " ip " is no address of a server: " (ex-message e)))))
       (catch SysException e (throw (process/exit 111 (str "unable to reach the DNS server " ip ": " (ex-message e)))))))

(defn- reply! [{:keys [speakers] :as stage} {:keys [silent?]} message]
  (when @silent?
    (vreset! silent? false)
    (note/line! :info nil "the DNS server answers again"))
  (run! #(stage/step! stage % {:event/type :reply :reply/message message}) speakers))

(defn- listen! [{^EventLoop event-loop :loop :as stage} {:keys [client] :as server}]
  (let [c @client]
    (.add event-loop (dns-client/fd c) EventLoop/EPOLLIN
          (reify EventLoop$Handler
            (ready [_ _]
              (loop []
                (when-let [message (dns-client/receive! c)]
                  (reply! stage server message)
                  (recur))))))))

(defn- anew!
  "Another socket: an address that this machine no longer has would hear nothing, however often it asked."
  [{^EventLoop event-loop :loop :as stage} {:keys [client to] :as server}]
  (when-let [fresh (try (dns-client/open to) (catch SysException _ nil))]
    (.remove event-loop (dns-client/fd @client))
    (.close ^java.lang.AutoCloseable @client)
    (vreset! client fresh)
    (listen! stage server)))

(defn- silent! [stage {:keys [silent? to] :as server}]
  (when-not @silent?
    (vreset! silent? true)
    (note/line! :warning nil (str "the DNS server does not answer: nobody is told of names until it does; `dig @"
                                  (:ip to) " -p " (:port to) "` would not be, either")))
  (anew! stage server))

(defn- cut! [{:keys [cut?]} name]
  (when-not @cut?
    (vreset! cut? true)
    (note/line! :warning nil (str "the DNS server has more to say of " (mistake/printable (mdns-name/text name))
                                  " than one datagram takes: the rest is not told"))))

(defn serve!
  "Answers on `links` (none: all) for the names below `domain` (of `ontap.model.mdns-name`) that the server `to` {:ip :port}
  knows, until SIGTERM or SIGINT; `ready` (fn []) is called once it does. `words` end the sentence that says so. Blocks; 0.
  Throws with :kind :exit."
  [{:keys [to domain links env ready words]}]
  (let [server {:to to :client (volatile! (client-of to)) :silent? (volatile! false) :cut? (volatile! false)}]
    (try
      (stage/run!!
       {:links links :env env
        :machine {:begin (fn [_] (mdns-proxy/proxy-machine domain)) :step mdns-proxy/step :due mdns-proxy/due}
        :begin   (fn [{:keys [speakers] :as stage}]
                   (listen! stage server)
                   (note/line! :info nil (str "answers for NAME.local on "
                                              (str/join ", " (map (comp :place/name :place) speakers)) " with what " words))
                   (ready))
        :perform (fn [stage _ {:effect/keys [type] :ask/keys [message] :cut/keys [name]}]
                   (case type
                     :ask    (dns-client/send! @(:client server) message)
                     :silent (silent! stage server)
                     :cut    (cut! server name)))})
      (finally (.close ^java.lang.AutoCloseable @(:client server))))))
