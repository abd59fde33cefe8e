;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.ipv4
  "The IPv4 addresses of links, with the kernel under them: in ontapd for the links that it
  hands out, in `ontap up` for those that it makes by itself, and in `ontap exec` for the
  moment before it becomes its service."
  (:require [clojure.string :as str]
            [ontap.alloc.dhcp :as dhcp]
            [ontap.kernel.create :as create]
            [ontap.kernel.dhcp :as frames]
            [ontap.kernel.ipv4 :as ipv4]
            [ontap.kernel.udp :as udp]
            [ontap.model.client-id :as client-id]
            [ontap.model.network :as network]
            [ontap.ops.note :as note]
            [ontap.ops.process :as process]
            [ontap.ops.secret :as secret]
            [ontap.run.paths :as paths]
            [ontap.run.work :as work])
  (:import (ontap.rtnl Link Rtnl)
           (ontap.sys Clock Io Namespaces NsThread Procs)))

(set! *warn-on-reflection* true)

(defn- open-port
  "{:fd :running?}: the packet socket of `port`, in the network namespace of this process,
  wherever the calling thread is, and whether the port runs."
  [port]
  (NsThread/call
   "ontap-port"
   (fn []
     (with-open [own (Namespaces/ofProcess (Io/getpid) "net")]
       (Namespaces/setns own Namespaces/CLONE_NEWNET))
     (with-open [rtnl (Rtnl/open)]
       (let [^Link link (create/port-link rtnl port)]
         {:fd (frames/open-port (.index link)) :running? (.running link)})))))

(def ^:private server-port "Of DHCP servers (RFC 2131, 4.1)." 67)

(defn- kernel []
  (let [buffer (byte-array frames/buffer-bytes)]
    {:open       open-port
     :server-here? #(udp/listening? server-port)
     :refilter!  frames/refilter!
     :receive    #(frames/receive % buffer)
     :send!      frames/send!
     :arp!       frames/arp!
     :carry-out! ipv4/carry-out-here!}))

(defn- state-dir
  "Where leases are kept."
  [env]
  (str (paths/state-dir env (paths/caller)) "/dhcp"))

(defn engine
  "An engine (`ontap.alloc.dhcp`) on :loop that keeps its leases below the state folder of
  :env; :note, :submit, :told and :others are those of `dhcp/engine`."
  [{:keys [env] :as given}]
  (let [dir (state-dir env)]
    (paths/make-dir! dir 0700)
    (dhcp/engine (merge (select-keys given [:loop :note :submit :told :others])
                        {:book dir :boot-id (Procs/bootId) :random secret/random-number :kernel (kernel)}))))

(defn client-id
  "The client identifier of `name` on this machine (RFC 4361), hex."
  [host-key name]
  (client-id/of (client-id/duid (secret/duid host-key)) (client-id/iaid (secret/iaid host-key name))))

(defn label-of
  "The first label of a host's name, in lower case; nil when it is no DNS label."
  [hostname]
  (let [label (str/lower-case (first (str/split hostname #"\." 2)))]
    (when (network/label? label) label)))

(defn host-name
  "The machine's own name as a DNS label, or nil when it is none."
  []
  (label-of (Namespaces/hostname)))

;; --- the services that make their links by themselves

(defn- place
  "Where the link of `attachment` is; `pid`: a process that lives there, or nil."
  [{:service/keys [name type]} {:attachment/keys [link-netns index]} pid]
  {:place/netns link-netns :place/index index :place/alias name :place/kind type :place/pid pid})

(defn begin-service!
  "Gives the link of `service` its IPv4 address from now on, unless whoever handed the link
  out does. `pid`: that of its workload, when it runs already."
  [engine host-key {:service/keys [name port type ipv4 acd start-delay] :as service}
   {:attachment/keys [grant hwaddr nsid index] :as attachment} pid]
  (cond
    (not (and index (nil? grant) (dhcp/settles? ipv4))) nil

    ;; set with the link
    (and (= :static (:method ipv4)) (not acd))
    (dhcp/declare! engine name {:title name :port port :ipv4 ipv4})

    :else
    (let [place (place service attachment pid)]
      (dhcp/begin! engine name
                   {:name name :book-name name :title name :port port :hwaddr hwaddr
                    :client-id (client-id host-key name) :place place :nsid nsid
                    :ipv4 ipv4 :acd? acd :start-delay? start-delay
                    :parents-hwaddr? (= "ipvlan" (network/families type))
                    :configured (when pid (ipv4/addresses-of place))}))))

(def ^:private patience-ms
  "More than looking for conflicts (RFC 5227) takes."
  30000)

(defn settle-alone!
  "Gives the link of `attachment` the address that `service` declares, after looking for
  conflicts; nobody defends it afterwards. Nil, or why it could not. Blocks."
  [{:service/keys [port] :as service} env host-key attachment]
  (let [answer (volatile! (str "port " port " was not ready in time"))]
    (with-open [loop (process/event-loop env)]
      (let [crew   (work/crew loop 1)
            settle (fn [a] (vreset! answer a) (.stop loop))
            said   (volatile! [])
            warn!  (fn [level name text] (when (not= :info level) (vswap! said conj [level name text])))
            engine (engine {:loop loop :env env :note warn! :submit (partial work/submit! crew)
                            :told (fn [_ kind data]
                                    (case kind
                                      :bound   (settle nil)
                                      :refused (settle (:says data))
                                      nil))})]
        (.at loop (+ (Clock/boottimeNanos) (* 1000000 (long patience-ms))) #(.stop loop))
        (begin-service! engine host-key service attachment nil)
        (.run loop)
        (dhcp/close! engine)
        ;; the caller tells the answer
        (run! (fn [[_ _ text :as line]] (when (not= text @answer) (apply note/line! line))) @said)
        @answer))))
