;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.provider
  "Where the link of a service comes from: the ontapd of its port where there is one;
  else we make it ourselves, and for types that come as descriptors an allocator inside
  this process does."
  (:require [ontap.alloc.allocator :as allocator]
            [ontap.alloc.client :as client]
            [ontap.kernel.links :as links]
            [ontap.run.granted :as granted]
            [ontap.run.paths :as paths])
  (:import (java.util.concurrent CompletableFuture TimeUnit)
           (ontap.sys EventLoop Fd Io Namespaces SysException)))

(set! *warn-on-reflection* true)

(defn- request
  "What `service` asks for. It settles its link by itself, but for the IPv4 address."
  [{:service/keys [name type mode queues link netns ipv4 acd release start-delay]}]
  {:request/verb :attach :request/type type :request/name name :request/queues queues
   :request/link link :request/mode mode :request/setup :none :request/keep? false
   :request/ipv4 (if queues {:method :none} ipv4)
   :request/acd? (boolean acd) :request/release? (boolean release)
   :request/start-delay? (boolean start-delay)
   :request/lease (if (and (true? netns) (not queues)) :namespace :holder)})

(defn- seen-from-here
  "The nsid of a lease, if whoever gave it counts namespaces as we do: it lives in our
  own network namespace."
  [{:grant/keys [lease from]}]
  (try
    ;; the calling thread is in a service's namespace by now, our main thread is not
    (with-open [own (Namespaces/ofProcess (Io/getpid) "net")
                its (Namespaces/ofProcess (int (:pid from)) "net")]
      (when (= (Namespaces/id own) (Namespaces/id its))
        (select-keys lease [:lease/nsid :lease/index])))
    ;; another user's, or gone
    (catch SysException _ nil)))

(defn- attachment
  "Keys of the attachment of `service` that `grant` settles."
  [{:service/keys [queues type]} grant here]
  (cond-> {:attachment/grant grant}
    queues (assoc :attachment/kind  type
                  :attachment/nsid  (:lease/nsid here)
                  :attachment/index (:lease/index here))))

;; --- from ontapd

(defn- from-ontapd
  "A `provide` of `links/attach!`. Services of :netns :host have their link in our own
  network namespace."
  [path]
  (fn [service net]
    (let [ask   #(client/attach! path (request service) %)
          grant (cond
                  (:service/queues service) (ask nil)
                  net                       (ask net)
                  :else (with-open [own (Namespaces/ofThread "net")] (ask own)))]
      (attachment service grant (seen-from-here grant)))))

;; --- from an allocator in this process

(def ^:private root {:peer/uid 0 :peer/gid 0 :peer/user "root" :peer/groups #{"root"}})

(def ^:private patience-s 60)

(defn- on-loop
  "The answer that `ask`, called in the loop's thread with a function, gives to it; blocks
  this one. The function returns false when it came too late."
  [^EventLoop loop ask]
  (let [answer (CompletableFuture.)]
    (.post loop (fn []
                  (try (ask #(.complete answer %))
                       (catch Throwable t (.completeExceptionally answer t)))))
    (.get (.orTimeout answer patience-s TimeUnit/SECONDS))))

(defn- dup ^Fd [^Fd fd] (.dup fd))

(defn- hand-over
  "Gives `answer` to `reply!` with descriptors of its own, for the allocator closes its; false
  when nobody waits for it any more."
  [answer reply!]
  (let [grant (cond-> answer
                (:grant/lease answer) (-> (update :grant/queues (partial mapv dup))
                                          (update :grant/holder dup)))]
    (or (reply! grant)
        (do (granted/close! grant) false))))

(defn- from-allocator [{:keys [loop] :as alloc}]
  (fn [{:service/keys [port] :as service} _]
    (let [{:keys [refused] :as grant}
          (on-loop loop (fn [reply!]
                          (allocator/ask! alloc {:port port :peer (assoc root :peer/pid (Io/getpid))
                                                 :request (request service)}
                                          #(hand-over % reply!))))]
      (when refused
        (throw (ex-info (:refusal/says refused) {:reason ::refused :wait? (:refusal/wait? refused)})))
      (attachment service (assoc grant :grant/from :here) (:grant/lease grant)))))

(defn refusal
  "What whoever handed out the link of `attachment` says against its declared address: a
  sentence, or nil. Blocks."
  [{:attachment/keys [grant]}]
  (let [{:grant/keys [lease from]} grant]
    (when-let [path (:path from)]
      (let [{:dhcp/keys [state says]} (some #(when (= (:lease/id lease) (:lease/id %)) %)
                                            (try (client/leases path)
                                                 (catch clojure.lang.ExceptionInfo _ nil)))]
        (when (contains? #{:conflicted :refused} state) says)))))

;; --- which

(defn- root?
  "Can this process make links by itself? Root of a namespace with one user cannot."
  []
  (zero? (long (paths/caller))))

(defn- socket [env port] (str (paths/daemon-dir env) "/port." port))

(defn socket-of
  "The socket of an ontapd that serves `port`, or nil. Of a socket where nobody listens root
  goes its own way; for others nobody else can make links, and ontapd will be back."
  [env port]
  (let [path (socket env port)]
    (when (and (Io/stat path) (or (not (root?)) (client/answers? path)))
      path)))

(def ^:private known
  "[path inode] of a socket -> does its ontapd live in another network namespace?"
  (atom {}))

(defn- elsewhere?
  "Does the ontapd at `path` see other links than we do? One that lives in our network
  namespace has no port that we do not see."
  [path]
  (let [at [path (some-> (Io/stat path) .ino)]]
    (if (contains? @known at)
      (@known at)
      (if-let [pid (client/serving-pid path)]
        (get (swap! known assoc at (nil? (seen-from-here {:grant/lease {} :grant/from {:pid pid}}))) at)
        (not (root?))))))

(defn ports-elsewhere
  "Those of `names` for which there is an ontapd in another network namespace: an ordinary
  user in one of their own does not see the ports of the machine."
  [env names]
  (into #{} (filter #(let [path (socket env %)] (and (Io/stat path) (elsewhere? path)))) names))

(defn provide
  "The `provide` of `links/attach!` for `service`: nil when we make its link by
  ourselves. `alloc` (fn []): the allocator of this process, or nil where there is none."
  [env {:service/keys [port queues name type]} alloc]
  (if-let [path (socket-of env port)]
    (from-ontapd path)
    (when queues
      (if-let [alloc (alloc)]
        (from-allocator alloc)
        (throw (ex-info (str "a link of type " type " comes from ontapd, and none serves port " port
                             ": start `ontapd " port "`, or run " name " by `ontap up`")
                        {:reason ::no-ontapd}))))))

(defn attach!
  "`links/attach!` with whatever provides the link of `service`."
  [env service of-name alloc]
  (links/attach! service of-name (provide env service alloc)))

;; --- giving back, finding again

(defn remove!
  "Ends the link of `attachment`: gives it back to whoever handed it out, or removes it.
  Blocks."
  [alloc {:attachment/keys [grant] :as attachment}]
  (let [{:grant/keys [lease from]} grant
        id (:lease/id lease)]
    (cond
      (or (nil? grant) (= :namespace (:lease/held lease))) (links/remove! attachment)
      (= :here from) (let [{:keys [loop] :as alloc} (alloc)]
                       (on-loop loop #(allocator/release! alloc root id %)))
      :else (try (client/release! (:path from) id)
                 (catch clojure.lang.ExceptionInfo e
                   ;; it ended by itself, or its ontapd did and will see to it
                   (when-not (or (= :lease (:refusal/rule (:refusal (ex-data e)))) (:later? (ex-data e)))
                     (throw e)))))))

(defn- lease-of
  "The lease called `name`, and where it is from: this process's own allocator, for an
  ontapd may have come since, or whoever serves `port`."
  [env alloc {:service/keys [name port]}]
  (if-let [lease (some-> (alloc) (allocator/lease-named name))]
    {:grant/lease lease :grant/from :here}
    (when-let [path (socket-of env port)]
      (let [leases (client/leases path)]
        (when-let [lease (some #(when (= name (:lease/name %)) %) leases)]
          {:grant/lease lease :grant/from {:path path :pid (:pid (meta leases))}})))))

(defn find-attachment
  "`links/find-attachment`, and for types that come as descriptors the lease of the
  service's name. Blocks."
  [env alloc pid {:service/keys [queues] :as service}]
  (if-not queues
    (links/find-attachment pid service)
    (when-let [{:grant/keys [lease from] :as grant} (lease-of env alloc service)]
      (assoc (attachment service grant (if (= :here from) lease (seen-from-here grant)))
             :attachment/netns-id (when (true? (:service/netns service)) (links/netns-id pid))))))
