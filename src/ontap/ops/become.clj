;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.become
  "`ontap exec FILE NAME`: this process becomes that one service. Same pid, no JVM
  left: what Shepherd, systemd or s6 runs and supervises."
  (:require [clojure.string :as str]
            [ontap.kernel.events :as events]
            [ontap.model.addressing :as addressing]
            [ontap.ops.ipv4 :as ipv4]
            [ontap.ops.note :as note]
            [ontap.ops.provider :as provider]
            [ontap.ops.secret :as secret]
            [ontap.run.granted :as granted]
            [ontap.run.launch :as launch]
            [ontap.run.paths :as paths])
  (:import (java.nio.file Files Path)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Clock Errno EventLoop EventLoop$Handler Fd Io NsThread SysException)))

(set! *warn-on-reflection* true)

(defn- await-kernel
  "Waits in the calling thread's namespace until `done?` (called after each piece of
  news) gives something true, which it returns; nil after `limit-ms` (nil: none).
  Blocks."
  [limit-ms done?]
  (with-open [monitor (RtnlMonitor/open false)]
    (or (done?)
        (let [failed (volatile! nil)
              answer (volatile! nil)]
          (with-open [loop (EventLoop. #(vreset! failed %))]
            (let [look! (fn []
                          (try
                            (when-let [a (done?)] (vreset! answer a) (.stop loop))
                            (catch Throwable t (vreset! failed t) (.stop loop))))]
              (.add loop (.fd monitor) EventLoop/EPOLLIN
                    (reify EventLoop$Handler
                      (ready [_ _] (.receive monitor) (look!))))
              (when limit-ms
                (.at loop (+ (Clock/boottimeNanos) (* 1000000 (long limit-ms)))
                     #(.stop loop)))
              (.run loop)))
          (some-> @failed throw)
          @answer))))

(defn- await-port! [{:service/keys [port]}]
  (with-open [rtnl (Rtnl/open)]
    (when-not (.link rtnl ^String port)
      (note/line! :info nil (str "port " port " is not there yet; waiting for it"))
      (await-kernel nil #(some? (.link rtnl ^String port))))))

(defn- await-address!
  "Waits, in the service's namespace, until its link has what it declares."
  [{:service/keys [port ipv4 address-timeout-ms] :as service} {:attachment/keys [index usable?] :as attachment}]
  (when-not usable?
    (with-open [rtnl (Rtnl/open)]
      (let [state  #(addressing/state service
                                      (filter (fn [a] (= index (:link/index a)))
                                              (map events/address (.addresses rtnl))))
            answer (await-kernel address-timeout-ms
                                 #(let [s (state)] (when-not (= :waiting s) s)))]
        (cond
          (map? answer)
          (throw (ex-info (str "unable to start " (:service/name service) ": address "
                               (:refused answer) " is in use by another host on port " port)
                          {:kind :exit :status 111}))
          (nil? answer)
          (if-let [why (when (= :static (:method ipv4)) (provider/refusal attachment))]
            (throw (ex-info (str "unable to start " (:service/name service) ": " why) {:kind :exit :status 111}))
            (note/line! :warning nil (addressing/missed-words service))))))))

(defn- without-dhcp
  "`service` as it can be run with nobody left to renew a lease: refused if the lease was
  asked for in so many words. Where an ontapd hands out the link, that one renews."
  [{:service/keys [name port ipv4] :as service} env]
  (cond
    (or (not= :dhcp (:method ipv4)) (provider/socket-of env port)) service
    (contains? (:service/given (meta service)) :ipv4)
    (throw (ex-info (str "unable to start " name " with :ipv4 :dhcp: nobody would renew its lease; start `ontapd "
                         port "`, or run it by `ontap up`")
                    {:kind :exit :status 111}))
    :else
    (do (note/line! :warning nil (str name " gets no IPv4 address: nobody would renew its lease; start `ontapd " port
                                      "`, run it by `ontap up`, or say :ipv4 :none"))
        (assoc service :service/ipv4 {:method :none}))))

(defn- settle-ipv4!
  "Sets the declared IPv4 address after a look for conflicts, unless whoever handed the link
  out does."
  [{:service/keys [name ipv4 acd] :as service} env key {:attachment/keys [grant] :as attachment}]
  (when (and (nil? grant) acd (= :static (:method ipv4)))
    (when-let [why (ipv4/settle-alone! service env key attachment)]
      (throw (ex-info (str "unable to start " name ": " why) {:kind :exit :status 111})))))

(defn- caller-s-descriptor
  "Descriptor `number` if whoever started this process gave it: a pipe or a socket.
  What else stands there is the JVM's own."
  ^Fd [number]
  (let [link (try (str (Files/readSymbolicLink (Path/of (str "/proc/self/fd/" number)
                                                        (make-array String 0))))
                  (catch java.io.IOException _ ""))]
    (when (or (str/starts-with? link "pipe:") (str/starts-with? link "socket:"))
      (Fd/own (int number) "given by the caller"))))

(defn- promised
  "What `:ready` promises, in place: the caller's own descriptor (s6's
  notification-fd) or NOTIFY_SOCKET."
  [{:service/keys [ready]} env]
  (cond
    (:fd ready)
    {:fds {(int (:fd ready)) (or (caller-s-descriptor (:fd ready))
                                 (Io/open "/dev/null" Io/O_WRONLY 0))}}
    (= :notify ready)
    {:extra-env (select-keys env ["NOTIFY_SOCKET"])}))

(defn- runtime-dir
  "A folder for a file that has a name for a moment."
  [env]
  (try (paths/runtime-dir env (paths/caller))
       (catch clojure.lang.ExceptionInfo _ (paths/state-dir env (paths/caller)))))

(defn- refused [service ^Throwable t]
  (let [data (ex-data t)]
    (cond
      (:kind data) t
      (or data (instance? SysException t))
      (ex-info (str "unable to start " (:service/name service) ": " (ex-message t)
                    (when (and (instance? SysException t)
                               (contains? #{Errno/EPERM Errno/EACCES} (.errno ^SysException t)))
                      "; this takes root, or a network of one's own: unshare -Urn ontap exec FILE NAME"))
               {:kind :exit :status (:exit data 111)} t)
      :else t)))

(defn exec!
  "Becomes `service`; `env` is this process's environment. Blocks until its port and
  an address are there. Returns only by throwing, with :kind :exit."
  [service env]
  (let [key    (secret/host-key (paths/state-dir env (paths/caller)))
        of-name (secret/of-name key (:service/name service))
        service (without-dhcp service env)]
    (NsThread/call
     "ontap-exec"
     (fn []
       (try
         (when-not (provider/socket-of env (:service/port service))
           (await-port! service))
         (let [{:attachment/keys [net uts grant] :as attachment}
               (provider/attach! env service of-name (constantly nil))]
           (run! #(.close ^Fd %) (filter some? [net uts]))
           (settle-ipv4! service env key attachment)
           (await-address! service attachment)
           (let [input   (Io/open "/dev/null" Io/O_RDONLY 0)
                 ready   (promised service env)
                 granted (granted/promised grant (keys (:fds ready)))]
             (launch/become! service
                             {:fds       (merge {(int 0) input} (:fds ready) (:fds granted))
                              :extra-env (merge (:extra-env ready) (:env granted))
                              :resolv    {:dir     (runtime-dir env)
                                          :granted (-> grant :grant/lease :lease/resolv-conf)}
                              :say       #(note/line! :warning nil %)})))
         (catch Throwable t
           (throw (refused service t))))))))
