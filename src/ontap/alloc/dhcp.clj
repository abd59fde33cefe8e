;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.dhcp
  "IPv4 for many links from one event loop: the shell around `ontap.model.lease`, in ontapd
  for the links that it hands out, and in `ontap up` for those that it makes by itself.

  One packet socket for each port serves all its links: what comes in is given to the link
  whose transaction (xid) or whose address (ARP) it is about. What has to be done inside the
  links' namespaces is done by one thread at a time, for all that wait. Belongs to the
  loop's thread.

  The kernel comes in as functions, `:kernel`: :open (fn [port]) -> {:fd of its socket, :running? has
  the port a carrier};
  :server-here? (fn []) does a DHCP server run on this machine?;
  :refilter! (fn [Fd ips]) lets ARP about these addresses in; :receive (fn [Fd]) -> {:events
  [[:message m] or [:arp a] ..] :more? may there be more}; :send! (fn [Fd m]) and :arp! (fn
  [Fd a]); none of these blocks. :carry-out! (fn [jobs]) -> outcomes, see
  `ontap.kernel.ipv4`; it blocks and is called in a fresh thread."
  (:require [clojure.string :as str]
            [ontap.alloc.dhcp-book :as book]
            [ontap.alloc.index :as index]
            [ontap.alloc.listening :as listening]
            [ontap.model.lease :as lease])
  (:import (ontap.sys Clock EventLoop Fd SysException)))

(set! *warn-on-reflection* true)

(defn- now-ms [] (quot (Clock/boottimeNanos) 1000000))

(defn- clock [{:keys [boot-id]}]
  {:boot-id boot-id :boot-ms (now-ms) :epoch-ms (System/currentTimeMillis)})

(defn engine
  "An engine that serves no link yet. Takes :loop, :note (fn [level name text]), :book (a
  folder that is there), :boot-id, :submit (fn [label task done]), :random (fn []) -> long,
  :others (fn [port ip]) -> whom an address of the port belongs to that is not of a link
  here, or nil, :told (fn [key kind data]) and :kernel.

  `:told` hears, of the link `key`: :terms with those that its link has, or is about to have, or nil;
  and :bound :changed :lost :conflict :refused :unanswered with {:ip :says}."
  [given]
  (merge {:others (constantly nil) :told (constantly nil)} given
         {:clients (volatile! {})    ; key -> client
          :ports   (volatile! {})    ; port -> {:fd :watched :running?}
          :xids    (volatile! {})    ; [port xid] -> key
          :watched (volatile! {})    ; [port ip] -> #{key}
          :claims  (volatile! {})    ; [port ip] -> #{key}
          :declared (volatile! {})   ; key -> {:title :port :ipv4} of addresses that others set
          :jobs    (volatile! [])
          :busy?   (volatile! false)}))

(defn- client [{:keys [clients]} key] (get @clients key))

;; --- who is meant

(defn- claim-set [state] (if-let [ip (some-> state lease/claim)] #{ip} #{}))

(defn- refilter!
  "Lets in the ARP that the links of `port` want to see now."
  [{:keys [ports watched kernel]} port]
  (let [{:keys [fd] was :watched} (get @ports port)
        ips (into #{} (keep (fn [[at ip]] (when (= port at) ip))) (keys @watched))]
    (when (and fd (not= was ips))
      ((:refilter! kernel) fd ips)
      (vswap! ports assoc-in [port :watched] ips))))

(defn- reindex!
  "The link `key` is at `after` instead of `before` (states, or nil)."
  [{:keys [xids watched claims] :as engine} port key before after]
  (let [[old new] (map #(some-> % lease/xid) [before after])
        [saw sees] (map #(or (some-> % lease/watched) #{}) [before after])]
    (when (not= old new)
      (vswap! xids #(cond-> (dissoc % [port old]) new (assoc [port new] key))))
    (vswap! claims index/moved port key (claim-set before) (claim-set after))
    (when (not= saw sees)
      (vswap! watched index/moved port key saw sees)
      (refilter! engine port))))

(defn- uses? [engine key ip] (= ip (some-> (client engine key) :state lease/in-use)))

(defn- declared-by
  "Whom address `ip` of `port` was declared for, but for `key`, in a person's words; or nil."
  [{:keys [declared]} port key ip]
  (some (fn [[other {:keys [title ipv4] at :port}]]
          (when (and (not= key other) (= port at) (= ip (:ip ipv4))) title))
        @declared))

(defn- sibling
  "Who else than `key` has address `ip` on `port`, in a person's words; nil for nobody. `used?`: on
  their link, or about to be; a mere claim must not take from `key` what it uses."
  [{:keys [claims others] :as engine} port key ip used?]
  (when ip
    (if-let [other (first (filter #(or (not used?) (uses? engine % ip)) (disj (get @claims [port ip] #{}) key)))]
      (:title (client engine other))
      (or (declared-by engine port key ip) (others port ip)))))

;; --- effects

(declare give!)

(defn let-go!
  "Keeps the namespace of the link `key` open no longer: whoever lives there is found."
  [{:keys [clients]} key]
  (when-let [^Fd way-in (:way-in (get @clients key))]
    (.close way-in)
    (vswap! clients update key dissoc :way-in)))

(def ^:private most-notes "Of one lease: how many routes there are to be refused is up to its server." 4)

(defn- done!
  "A job came to its end: the link that it was for hears of an address."
  [{:keys [note told clients] :as engine} {:job/keys [id outcome notes]}]
  (let [[key generation [what terms]] id
        {:keys [title] :as it} (client engine key)]
    (when (and (= :apply what) (= generation (:generation it)))
      ;; the same again at each renewal tells nobody anything
      (when (not= notes (:notes it)) (run! #(note :warning title %) (take most-notes notes)))
      (vswap! clients update key assoc :notes notes)
      (if (= :done outcome)
        (do (let-go! engine key)
            (give! engine key [:applied (:dhcp/ip terms)]))
        (do (when (contains? #{:gone :in-use} (second outcome)) (told key :terms nil))
            (give! engine key (into [:not-applied (:dhcp/ip terms)] (rest outcome))))))))

(defn- carry-out!
  "Does what waits to be done in the links' namespaces, all of it in one thread, one such
  thread at a time."
  [{:keys [jobs busy? submit kernel note] :as engine}]
  (when-let [now (and (not @busy?) (seq @jobs))]
    (vreset! jobs [])
    (vreset! busy? true)
    (submit "ipv4" #((:carry-out! kernel) now)
            (fn [{:keys [value ^Throwable error]}]
              (vreset! busy? false)
              (doseq [{{:place/keys [^Fd net]} :job/place} now :when net] (.close net))
              (when error (note :error nil (str "unable to set addresses: " (ex-message error))))
              (run! #(done! engine %)
                    (if error
                      (map #(assoc % :job/outcome [:failed :kernel (str (ex-message error))]) now)
                      value))
              (carry-out! engine)))))

(defn- job! [{:keys [jobs] :as engine} key what]
  (let [{:keys [generation place ^Fd way-in]} (client engine key)
        ;; without a descriptor to spare it has to be looked for
        net   (try (some-> way-in .dup) (catch SysException _ nil))
        place (cond-> place net (assoc :place/net net))]
    (vswap! jobs conj {:job/id [key generation what] :job/place place :job/do what})))

(defn- apply!
  "Has the terms set, unless a sibling uses the address: only ipvlan refuses it by itself."
  [engine key {:dhcp/keys [ip] :as terms}]
  (if-let [other (sibling engine (:port (client engine key)) key ip true)]
    (give! engine key [:not-applied ip :in-use (str other " has it")])
    (do
      ;; first: a workload starts when its link has an address, and looks at nameservers at once
      ((:told engine) key :terms terms)
      (job! engine key [:apply terms (now-ms)]))))

(defn- explain!
  "Nobody answers: says so where the reason is known. What the port itself sends goes to the
  wire, never back to this machine."
  [{:keys [kernel note] :as engine} key kind]
  (when (and (= :unanswered kind) ((:server-here? kernel)))
    (let [{:keys [title port]} (client engine key)]
      (note :warning title (str "a DHCP server runs on this machine, and links of " port " cannot reach one on their own"
                                " machine: give " title " a static address, or let another machine serve DHCP")))))

(defn- happened! [{:keys [clients told] :as engine} key kind data]
  (explain! engine key kind)
  ;; whoever was told of an earlier effect may have ended it
  (when (client engine key)
    (vswap! clients assoc-in [key :event] (assoc data :kind kind :at-ms (now-ms))))
  (told key kind data))

(defn- perform! [{:keys [kernel note told] dir :book :as engine} key [effect a b]]
  (let [{:keys [port title entry]} (client engine key)
        fd (get-in @(:ports engine) [port :fd])]
    (case effect
      :send   (when fd ((:send! kernel) fd a))
      :arp    (when fd ((:arp! kernel) fd a))
      :apply  (apply! engine key a)
      :remove (do (told key :terms nil)
                  (job! engine key [:remove a b]))
      :save   (when entry (book/write! dir entry a (clock engine)))
      :unsave (when entry (book/forget! dir entry))
      :note   (note a title b)
      :event  (happened! engine key a b))))

(defn- attempt! [{:keys [note] :as engine} key [kind :as effect]]
  (try
    (perform! engine key effect)
    (catch SysException e
      (note :warning (:title (client engine key)) (str "IPv4: unable to " (clojure.core/name kind) ": " (ex-message e))))))

(defn- timer!
  "Wakes the link `key` when it wants to be."
  [{:keys [^EventLoop loop clients] :as engine} key]
  (let [{:keys [timer at state]} (client engine key)
        wanted (lease/deadline state)]
    (when (not= at wanted)
      (when timer (.cancel loop timer))
      (vswap! clients update key assoc :at wanted
              :timer (when wanted
                       (.at loop (* 1000000 (long wanted))
                            (fn []
                              (vswap! clients update key assoc :at nil :timer nil)
                              (give! engine key [:tick]))))))))

(defn- step!
  "Gives the link `key` the event: the effects that follow, none carried out yet."
  [{:keys [clients] :as engine} key event]
  (let [{:keys [state port]} (client engine key)
        [after effects] (lease/step state event (now-ms))]
    (vswap! clients assoc-in [key :state] after)
    ;; first, so that an answer finds its way
    (reindex! engine port key state after)
    effects))

(defn- give! [engine key event]
  (when (client engine key)
    (run! #(attempt! engine key %) (step! engine key event))
    (timer! engine key)
    (carry-out! engine)))

;; --- what comes in

(defn- message! [{:keys [xids] :as engine} port {:message/keys [xid your-ip] :as m}]
  (when-let [key (get @xids [port xid])]
    (let [other (sibling engine port key your-ip (uses? engine key your-ip))]
      (give! engine key [:message (cond-> m other (assoc :message/sibling other))]))))

(defn- arp! [{:keys [watched] :as engine} port {:arp/keys [sender-ip target-ip] :as a}]
  (doseq [key (into #{} (mapcat #(get @watched [port %])) [sender-ip target-ip])]
    (let [other (sibling engine port key sender-ip true)]
      (give! engine key [:arp (cond-> a other (assoc :arp/sibling other))]))))

(defn- on-port [{:keys [clients]} port]
  (for [[key client] @clients :when (= port (:port client))] key))

(defn- open-port!
  "The socket of `port`, if it is there."
  [{:keys [^EventLoop loop ports kernel note] :as engine} port]
  (when-not (get-in @ports [port :fd])
    (try
      (let [{:keys [fd running?]} ((:open kernel) port)]
        (vswap! ports update port #(merge {:running? running?} % {:fd fd :watched #{}}))
        (listening/listen! loop fd (:receive kernel)
                           (fn [[kind data]] ((case kind :message message!, :arp arp!) engine port data)))
        (refilter! engine port))
      (catch Exception e
        (note :error nil (str "unable to speak DHCP on port " port ": " (ex-message e)))))))

(defn- close-port! [{:keys [^EventLoop loop ports]} port]
  (some->> (get-in @ports [port :fd]) (listening/close! loop))
  (vswap! ports dissoc port))

(defn- port-changed!
  "The port is there, and runs or does not."
  [{:keys [ports] :as engine} {:link/keys [name running? hwaddr]}]
  (when-let [{was :running?} (get @ports name)]
    (open-port! engine name)
    (vswap! ports assoc-in [name :running?] running?)
    (doseq [key (on-port engine name)]
      (when (and hwaddr (:parents-hwaddr? (client engine key)))
        (give! engine key [:hwaddr hwaddr]))
      (when (and (some? was) (some? running?) (not= was running?))
        (give! engine key [:carrier running?])))))

(defn- address-gone! [{:keys [clients] :as engine} {:addr/keys [ip] index :link/index nsid :ns/id}]
  (doseq [[key {:keys [place] at :nsid}] @clients
          :when (and (= at nsid) (= index (:place/index place)))]
    (give! engine key [:address-lost ip])))

(defn kernel-said!
  "Takes events of `ontap.kernel.events` in."
  [engine events]
  (doseq [{:event/keys [type] :as event} events]
    (case type
      :link/new  (when (nil? (:ns/id event)) (port-changed! engine event))
      :link/gone (when (and (nil? (:ns/id event)) (get @(:ports engine) (:link/name event)))
                   (close-port! engine (:link/name event))
                   (vswap! (:ports engine) assoc (:link/name event) {:fd nil :running? false}))
      :addr/gone (when (= :ipv4 (:addr/family event)) (address-gone! engine event))
      nil)))

(defn resumed!
  "The machine was asleep."
  [{:keys [clients] :as engine}]
  (run! #(give! engine % [:resumed]) (keys @clients)))

;; --- links come and go

(def ^:private busy-start-ms
  "For how long after the machine has started links wait by chance before they ask (RFC
  2131, 4.4.1): the wait is there to spread what a power cut brought together."
  120000)

(defn- entry-of
  "Under what the lease of `name` on `port` is kept; nil when it is not."
  [name port]
  (when name (str/replace (str name "@" port) #"[/\s\p{Cntrl}]" "_")))

(defn settles?
  "Is the address of a declaration's :ipv4 ours to settle?"
  [ipv4]
  (contains? #{:dhcp :static} (:method ipv4)))

(defn end!
  "The link `key` is about to go, or has gone: lets go of its address, which the server
  is told of with `release?`. None is fine."
  [{:keys [^EventLoop loop clients declared] :as engine} key release?]
  (vswap! declared dissoc key)
  (when-let [{:keys [port]} (client engine key)]
    (doseq [[kind :as effect] (step! engine key [:stop {:release? (boolean release?)}])
            ;; the address goes with its link
            :when (not (contains? #{:apply :remove} kind))]
      (attempt! engine key effect))
    (let-go! engine key)
    (let [{:keys [timer state]} (client engine key)]
      (when timer (.cancel loop timer))
      (reindex! engine port key state nil))
    (vswap! clients dissoc key)
    (when (empty? (on-port engine port)) (close-port! engine port))))

(defn declare!
  "The link `key` has the address of `ipv4`, as declared, without any look for conflicts: no
  other link is to get it, until `end!`."
  [{:keys [declared]} key link]
  (vswap! declared assoc key (select-keys link [:title :port :ipv4])))

(def ^:private way-in-ms
  "For how long at most a link's namespace is kept open. Once it has an address, and with
  it a workload, it is found through that; before, nobody may live there whom we see."
  60000)

(defn begin!
  "Gives the link `key` its IPv4 address, from now on until `end!`. `link`: :name (a label,
  or nil) that goes out as its hostname and :book-name under which its lease is kept (nil: it is not), :title for a person, :port, :hwaddr, :client-id
  (hex), :place (`ontap.kernel.ipv4`), :nsid of its namespace as we hear it (nil: our own), :ipv4 (a declaration's,
  {:method :dhcp} or :static ..), :acd? :start-delay?, :configured (the addresses that it has
  already), :parents-hwaddr? (does its hwaddr follow the port's?), :way-in (an Fd of its namespace
  that becomes the engine's, or nil). Nothing for other methods."
  [{:keys [^EventLoop loop clients random] dir :book :as engine} key
   {:keys [name book-name port hwaddr client-id ipv4 acd? start-delay? configured way-in] :as link}]
  (end! engine key false)
  (when (settles? ipv4)
    (when-not (get-in @(:ports engine) [port :fd])
      (open-port! engine port)
      (vswap! (:ports engine) update port #(or % {:fd nil})))
    (let [static? (= :static (:method ipv4))
          generation (random)
          entry   (entry-of book-name port)
          kept    (when entry (book/read! dir entry (clock engine)))
          ;; who got it since has it now
          there?  (some #{(:dhcp/ip kept)} configured)
          saved   (when-not (sibling engine port key (:dhcp/ip kept) there?) kept)]
      (vswap! clients assoc key
              (assoc (select-keys link [:title :port :place :nsid :parents-hwaddr? :way-in])
                     :entry entry
                     :generation generation
                     :state (lease/client {:dhcp/name name
                                           :dhcp/hwaddr hwaddr
                                           :dhcp/client-id client-id
                                           :dhcp/seed (random)
                                           :dhcp/start-delay? (boolean (and start-delay? (< (now-ms) (long busy-start-ms))))
                                           :dhcp/acd? (boolean acd?)
                                           :dhcp/static (when static? (select-keys ipv4 [:ip :prefix :gateway]))
                                           :dhcp/saved saved
                                           :dhcp/configured (some #{(if static? (:ip ipv4) (:dhcp/ip saved))}
                                                                  configured)})))
      (reindex! engine port key nil (:state (client engine key)))
      (when way-in
        (.at loop (* 1000000 (+ (now-ms) (long way-in-ms)))
             #(when (= generation (:generation (client engine key))) (let-go! engine key))))
      (give! engine key [:start])
      (when (false? (get-in @(:ports engine) [port :running?]))
        (give! engine key [:carrier false])))))

(defn row
  "What a person may want to know of the link `key`: `summary` of `ontap.model.lease` with
  :dhcp/event {:kind :ip :says :ago-ms}, what happened last; nil for a link
  that is not served here."
  [{:keys [declared] :as engine} key]
  (if-let [{:keys [state event]} (client engine key)]
    (cond-> (lease/summary state (now-ms))
      event (assoc :dhcp/event (-> (dissoc event :at-ms)
                                   (assoc :ago-ms (- (now-ms) (long (:at-ms event)))))))
    (when-let [{:keys [ipv4]} (get @declared key)]
      {:dhcp/method :static :dhcp/state :bound :dhcp/ip (:ip ipv4) :dhcp/prefix (:prefix ipv4)
       :dhcp/server nil :dhcp/left-s nil :dhcp/says nil})))

(defn close!
  "Lets go of what is held; addresses and leases live on."
  [{:keys [ports ^EventLoop loop clients] :as engine}]
  (run! #(let-go! engine %) (keys @clients))
  (doseq [{:keys [timer]} (vals @clients) :when timer] (.cancel loop timer))
  (vreset! clients {})
  (run! #(close-port! engine %) (keys @ports)))
