;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.ipv4
  "The IPv4 address of a link, and what comes with it, in whatever network namespace the link
  is: set and removed. Each call works in a fresh thread, which enters one namespace
  after the other and dies; nothing of ours stays there.

  A place is where a link is: {:place/netns {:dev :ino}, nil for our own namespace;
  :place/index; :place/alias and :place/kind, what it must have, nil for anything;
  :place/pid, who is asked first for the namespace, or nil; :place/net, an Fd of that
  namespace, nil where it has to be looked for}."
  (:require [ontap.kernel.create :as create]
            [ontap.kernel.dwellers :as dwellers]
            [ontap.kernel.events :as events]
            [ontap.model.address :as address]
            [ontap.model.terms :as terms])
  (:import (java.net InetAddress)
           (ontap.rtnl Address Link Route Rtnl RtnlConstants)
           (ontap.sys Errno Fd Io Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(def ^:private metric
  "Of routes that DHCP gave, as others have it: more than that of a route a person made."
  1024)

(def ^:private ipv6-least-mtu 1280)

(defn- ip ^InetAddress [^String text] (InetAddress/getByName text))

(defn- failed [kind why] {:job/outcome [:failed kind why]})

(def ^:private link-gone (failed :gone "the link is gone"))

;; --- what a link has

(defn- addresses-at
  "The addresses of link `index`, of family 4 or 6. Only these are asked for: how much else is
  in a namespace is up to its owner."
  [^Rtnl inside index family]
  (.addressesOfLink inside (int index) (int (if (= 4 family) RtnlConstants/AF_INET RtnlConstants/AF_INET6))))

(defn- with-ip [addresses text]
  (filter #(= text (events/ip-text (.ip ^Address %))) addresses))

(defn- delete!
  "Deletes an address; one that is not there, or whose link is not, is fine."
  [^Rtnl inside ^Address a]
  (try (.deleteAddress inside (.index a) (.ip a) (.prefixLength a))
       (catch SysException e
         (when-not (contains? #{Errno/EADDRNOTAVAIL Errno/ENODEV} (.errno e)) (throw e)))))

;; --- address

(defn- seconds-left
  "Whole seconds until the lease ends, nil for ever. Rounded up: our own removal, which comes
  to the millisecond, is the one that counts; the kernel's is for when nobody of us lives."
  [{:dhcp/keys [valid-until]} now]
  (when valid-until
    (quot (+ (- valid-until now) 999) 1000)))

(defn- set-address! [^Rtnl inside index {:dhcp/keys [prefix broadcast] address :dhcp/ip} left]
  (let [brd (or broadcast (terms/broadcast-of address prefix))]
    ;; ipvlan refuses the same address a second time, on the same link too
    (doseq [^Address a (with-ip (addresses-at inside index 4) address)
            :when (not= prefix (.prefixLength a))]
      (delete! inside a))
    (.replaceAddress inside (cond-> (Address/of (int index) (ip address) (int prefix) 0)
                              brd  (.withBroadcast (ip brd))
                              left (.withLifetimes left left)))))

;; --- routes

(defn- route
  "`to` \"10.0.0.0/8\" over `via`, nil for hosts on the link itself."
  ^Route [index source [to prefix] via on-link?]
  (Route. RtnlConstants/AF_INET (when (pos? (long prefix)) (ip to)) (int prefix) (some-> via ip) (int index)
          RtnlConstants/RT_TABLE_MAIN RtnlConstants/RTPROT_DHCP
          (if via RtnlConstants/RT_SCOPE_UNIVERSE RtnlConstants/RT_SCOPE_LINK)
          RtnlConstants/RTN_UNICAST (int metric) (ip source) (boolean on-link?)))

(defn- destination
  "[network prefix] of \"10.1.2.3/8\"."
  [text]
  (let [{:keys [prefix] :as a} (address/prefixed text)
        network (:ip (address/prefixed (address/network (:ip a) prefix)))]
    [network prefix]))

(defn- routes
  "The routes of terms, those of the link itself first, as a gateway may be reached by one. A
  gateway that nothing says is on the link is taken to be there all the same."
  [index {:dhcp/keys [ip prefix routes]}]
  (let [told    (for [{:route/keys [to via]} routes]
                  ;; a gateway that is we ourselves: everybody is on the link
                  [(destination to) (when-not (= ip via) via)])
        direct  (cons [ip prefix] (for [[to via] told :when (nil? via)] to))
        near?   (fn [via] (some (fn [[net n]] (and (pos? (long n)) (address/same-network? via net n))) direct))]
    (for [[to via] (sort-by (comp some? second) told)]
      (route index ip to via (and via (not (near? via)))))))

(defn- ours
  "The routes by DHCP that link `index` has for `source`."
  [^Rtnl inside index source]
  (filter (fn [^Route r]
            (and (= (ip source) (.source r)) (= metric (.metric r)) (= RtnlConstants/RT_TABLE_MAIN (.table r))))
          (.routesOfLink inside (int index) RtnlConstants/AF_INET RtnlConstants/RTPROT_DHCP)))

(defn- set-routes!
  "The routes of `terms` and no others of ours; gives a sentence for each that the kernel
  refuses: the address works without. They stand behind what other links have for the same
  destination and metric, which NLM_F_REPLACE would take away."
  [^Rtnl inside index terms]
  (let [wanted  (routes index terms)
        refused (vec (keep (fn [^Route r]
                             (try (.appendRoute inside r) nil
                                  (catch SysException e
                                    (when-not (= Errno/EEXIST (.errno e))
                                      (str "a route of the lease was refused: " (ex-message e))))))
                           wanted))]
    (doseq [^Route r (remove (set wanted) (ours inside index (:dhcp/ip terms)))]
      (try (.deleteRoute inside r)
           (catch SysException e (when-not (= Errno/ESRCH (.errno e)) (throw e)))))
    refused))

;; --- MTU

(defn- parents-mtu
  "The MTU of the link that `link` stands on, nil when it stands on none. Ports are in its
  own namespace or in ours, `host`."
  [^Rtnl host ^Rtnl inside ^Link link]
  (when (and (.parentIndex link) (contains? #{"ipvlan" "macvlan"} (.kind link)))
    (some-> (.link (if (.parentNsid link) host inside) (int (.parentIndex link))) .mtu)))

(defn- set-mtu!
  "Takes the lease's MTU as far as it works: an ipvlan takes more than its parent can send,
  and IPv6 ends on a link of less than 1280. Gives a sentence when it was not taken whole."
  [^Rtnl host ^Rtnl inside ^Link link {:dhcp/keys [mtu]}]
  (when mtu
    (let [most (or (parents-mtu host inside link) mtu)
          six? (seq (addresses-at inside (.index link) 6))
          take (cond-> (min mtu most) six? (max ipv6-least-mtu))]
      (try
        (when-not (= take (.mtu link)) (.setMtu inside (.index link) (int take)))
        (when-not (= take mtu) (str "the lease's MTU of " mtu " was not taken; it is " take))
        (catch SysException e
          (str "the lease's MTU of " mtu " was not taken; it stays " (.mtu link) ": " (ex-message e)))))))

;; --- jobs

(defn- apply! [{:keys [host inside]} ^Link link terms now]
  (let [left (seconds-left terms now)
        index (.index link)]
    (if (and left (< left 1))
      (failed :kernel "the lease is over")
      (do
        (set-address! inside index terms left)
        (let [notes (into (set-routes! inside index terms)
                          (keep identity)
                          [(set-mtu! host inside link terms)])]
          {:job/outcome :done :job/notes notes})))))

(defn- keep-others!
  "Has the kernel keep the other addresses of the network when the first of them goes."
  [^Rtnl inside ^Link link address]
  (when (some #(and (.temporary ^Address %) ; IFA_F_SECONDARY
                    (not= address (events/ip-text (.ip ^Address %))))
              (addresses-at inside (.index link) 4))
    (try (create/sysctl! (str "ipv4/conf/" (.name link) "/promote_secondaries") "1")
         (catch SysException _ nil))))

(defn- remove! [{:keys [inside]} ^Link link address]
  (when-let [there (seq (with-ip (addresses-at inside (.index link) 4) address))]
    (keep-others! inside link address)
    (run! #(delete! inside %) there))
  {:job/outcome :done})

(defn- look [{:keys [inside]} ^Link link]
  {:job/outcome [:there (into #{} (map #(events/ip-text (.ip ^Address %))) (addresses-at inside (.index link) 4))]})

(defn- meant?
  "Is `link` the one of the place? Its number may belong to another by now."
  [^Link link {:place/keys [alias kind]}]
  (and link
       (or (nil? alias) (= alias (.alias link)))
       (or (nil? kind) (= kind (.kind link)))))

(defn- without-link
  "The outcome for a job whose link is gone, as `why` says: what was to be removed is gone
  with it."
  [{[what] :job/do} why]
  (if (= :remove what) {:job/outcome :done} why))

(defn- kernel-says [^SysException e]
  (condp = (.errno e)
    Errno/EADDRINUSE (failed :in-use "another link of the port has it")
    Errno/ENODEV     link-gone
    (failed :kernel (ex-message e))))

(defn- do-one [{:keys [^Rtnl inside] :as at} {:job/keys [place] [what a b] :job/do :as job}]
  (try
    (let [link (.link inside (int (:place/index place)))]
      (if (meant? link place)
        (case what
          :apply    (apply! at link a b)
          :remove   (remove! at link a)
          :look     (look at link))
        (without-link job link-gone)))
    (catch SysException e
      (kernel-says e))
    ;; one link's trouble is not that of all others in the batch
    (catch Exception e
      (failed :kernel (str "bug: " e)))))

(defn- answer [{:job/keys [id]} outcome]
  (cond-> (assoc outcome :job/id id)
    (empty? (:job/notes outcome)) (dissoc :job/notes)))

(defn- in-place
  "The answers to jobs of one namespace, `net`, in which the thread stays."
  [at ^Fd net jobs]
  (try
    (Namespaces/setns net Namespaces/CLONE_NEWNET)
    (with-open [inside (Rtnl/open)]
      (mapv #(answer % (do-one (assoc at :inside inside) %)) jobs))
    (catch SysException e
      (mapv #(answer % (failed :kernel (ex-message e))) jobs))))

(def ^:private ended (failed :gone "the network namespace of the link has ended"))

(def ^:private unseen
  (failed :kernel (str "nobody who can be seen keeps the network namespace of the link, and there are processes"
                       " into which we may not look (that takes CAP_SYS_PTRACE)")))

(defn- ways-in
  "{:dev :ino} -> Fd of the namespaces of `jobs` that came with one."
  [jobs]
  (into {} (for [{{:place/keys [netns net]} :job/place} jobs :when (and netns net)] [netns net])))

(defn carry-out-here!
  "`carry-out!` in the calling thread, which goes through all these namespaces and comes back
  to that of the process: one that dies afterwards."
  [jobs]
  (let [by-netns (group-by (comp :place/netns :job/place) jobs)
        given    (ways-in jobs)
        {:keys [found hidden?]}
        (dwellers/open-all (for [{{:place/keys [netns pid]} :job/place} jobs
                                 :when (and netns (not (given netns)))]
                             [netns pid]))]
    (try
      ;; of the process: the caller's thread may be in a workload's
      (with-open [own (Io/open "/proc/self/ns/net" Io/O_RDONLY 0)]
        (Namespaces/setns own Namespaces/CLONE_NEWNET)
        (with-open [host (Rtnl/open)]
          (try
            (into []
                  (mapcat (fn [[netns jobs]]
                            (if-let [net (if netns (or (given netns) (found netns)) own)]
                              (in-place {:host host} net jobs)
                              (mapv #(answer % (if hidden? unseen (without-link % ended))) jobs))))
                  by-netns)
            (finally
              (Namespaces/setns own Namespaces/CLONE_NEWNET)))))
      (finally
        (run! #(.close ^Fd %) (vals found))))))

(defn carry-out!
  "Does `jobs`, [{:job/id any :job/place place :job/do what}], in a fresh thread, those of one
  namespace in their order; blocks for the kernel. `what`:
  [:apply terms now] address, routes and MTU (`now` in ms, as the terms' times);
  [:remove ip prefix] the address, whose routes go with it; one that is not there is fine;
  [:look].
  Gives [{:job/id :job/outcome :job/notes}] in any order. An outcome is :done, for :look
  [:there #{ip ..}] with the IPv4 addresses of the link, or [:failed kind why]: kind is :in-use (EADDRINUSE),
  :gone (link or namespace), :kernel. Notes, when there are any, tell what of the terms
  was not taken though the address was."
  [jobs]
  (NsThread/call "ontap-ipv4" #(carry-out-here! jobs)))

(defn- look-at [place]
  (:job/outcome (first (carry-out! [{:job/id 0 :job/place place :job/do [:look]}]))))

(defn addresses-of
  "The set of IPv4 addresses that the link of `place` has; empty when it is gone. Blocks."
  [place]
  (let [[what ips] (look-at place)]
    (if (= :there what) ips #{})))

(defn there?
  "Is the link of `place` there? Blocks."
  [place]
  (= :there (first (look-at place))))
