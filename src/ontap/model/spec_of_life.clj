;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.spec-of-life
  "The shapes of the data about services that live, as specs: supervision, what the kernel says, what is written down and
  what is told. In words: doc/data.md. Maps with qualified keys are closed: a key that is not here is a mistake.
  Only tests and a REPL load this file."
  (:require [clojure.spec.alpha :as s]
            [ontap.model.address :as address]
            [ontap.model.spec :as spec]
            [ontap.model.supervision :as supervision]))

(set! *warn-on-reflection* true)

(defn- only
  "Has a map no other keys than these?"
  [& key-lists]
  (let [known (into #{} cat key-lists)]
    #(every? known (keys %))))

(s/def ::name :service/name)
(s/def ::ms nat-int?)
(s/def ::phrase (s/and string? seq))
(s/def ::absolute (s/and string? #(re-find #"^/" %)))
(s/def ::dev int?)
(s/def ::ino pos-int?)
(s/def ::namespace (s/keys :req-un [::dev ::ino]))

;; --- supervision

(s/def ::code nat-int?)
(s/def ::signal ::phrase)
(s/def ::unknown true?)
(s/def ::exit (s/and (s/map-of keyword? any? :count 1)
                     (s/keys :opt-un [::code ::signal ::unknown])
                     (only [:code :signal :unknown])))

(s/def ::service ::spec/service)
(s/def :sup/state (set (keys supervision/states)))
(s/def :sup/since ::ms)
(s/def :sup/want #{:up :down})
(s/def :sup/generation nat-int?)
(s/def :sup/restarts nat-int?)
(s/def :sup/pid pos-int?)
(s/def :sup/runs (s/nilable (s/coll-of ::ms :kind vector?)))
(s/def :sup/delay-ms ::ms)
(s/def :sup/wait-ms ::ms)
(s/def :sup/exit ::exit)
(s/def :sup/reason (s/nilable ::phrase))
(s/def :sup/notified? boolean?)
(s/def :sup/again? boolean?)
(s/def :sup/next ::spec/service)
(s/def :sup/leave? boolean?)
(s/def :sup/adopted? boolean?)

(s/def ::supervision
  (s/and (s/keys :req-un [::service]
                 :req [:sup/state :sup/since :sup/want :sup/generation :sup/restarts]
                 :opt [:sup/pid :sup/runs :sup/delay-ms :sup/wait-ms :sup/exit :sup/reason :sup/notified? :sup/again?
                       :sup/next :sup/leave? :sup/adopted?])
         (only [:service :sup/state :sup/since :sup/want :sup/generation :sup/restarts :sup/pid :sup/runs :sup/delay-ms
                :sup/wait-ms :sup/exit :sup/reason :sup/notified? :sup/again? :sup/next :sup/leave? :sup/adopted?])
         #(or (not (#{:up :ready} (:sup/state %))) (:sup/pid %))))

(s/def ::effect
  (s/or :bare   (s/tuple #{:attach :launch :kill :sweep :record :forget})
        :signal (s/tuple #{:signal} ::signal)
        :timer  (s/tuple #{:timer} #{:address :stop :retry} ::ms)
        :cancel (s/tuple #{:cancel} #{:address :stop :retry})
        :note   (s/tuple #{:note} #{:info :warning :error} ::phrase)))

(s/def :world/services (s/map-of ::name ::supervision))
(s/def :world/ports (s/coll-of string? :kind set?))
(s/def :world/leaving (s/map-of ::name (s/nilable (s/keys :opt-un [:sup/leave?]))))
(s/def ::world (s/and (s/keys :req [:world/services :world/ports :world/leaving])
                      (only [:world/services :world/ports :world/leaving])))

;; --- what the kernel holds

(s/def :ns/id (s/nilable nat-int?))
(s/def :link/index pos-int?)
(s/def :link/name ::phrase)
(s/def :link/kind (s/nilable ::phrase))
(s/def :link/alias (s/nilable string?))
(s/def :link/hwaddr (s/nilable ::phrase))
(s/def :link/up? boolean?)
(s/def :link/running? boolean?)
(s/def :link/parent (s/nilable nat-int?))
(s/def :link/parent-nsid (s/nilable nat-int?))

(def ^:private link-keys
  [:link/index :link/name :link/kind :link/alias :link/hwaddr :link/up? :link/running? :link/parent
   :link/parent-nsid :ns/id])

(s/def ::link-facts (s/keys :req [:link/index :link/name :link/kind :link/alias :link/hwaddr :link/up? :link/running?
                                  :link/parent :ns/id]))
(s/def ::link (s/and ::link-facts (only link-keys)))

(s/def :addr/ip (s/and string? #(= % (address/canonical %))))
(s/def :addr/prefix (s/int-in 0 129))
(s/def :addr/family #{:ipv4 :ipv6})
(s/def :addr/scope #{:global :link :host :other})
(s/def :addr/flags (s/coll-of #{:tentative :dadfailed :deprecated :temporary :permanent} :kind set?))
(s/def :addr/proto (s/nilable (s/int-in 0 256)))
(s/def :addr/preferred-s (s/nilable nat-int?))
(s/def :addr/valid-s (s/nilable nat-int?))
(s/def :addr/updated-ms (s/nilable int?))

(def ^:private address-keys
  [:addr/ip :addr/prefix :addr/family :addr/scope :addr/flags :addr/proto :addr/preferred-s :addr/valid-s
   :addr/updated-ms :link/index :ns/id])

(s/def ::address-facts
  (s/and (s/keys :req [:addr/ip :addr/prefix :addr/family :addr/scope :addr/flags :addr/valid-s :link/index :ns/id])
         #(= (:addr/family %) (case (long (address/family (:addr/ip %))) 4 :ipv4 6 :ipv6))))
(s/def ::address (s/and ::address-facts (only address-keys)))

(defmulti kernel-event "The spec of an event of the kernel." :event/type)
(defmethod kernel-event :link/new [_] (s/and ::link-facts (only [:event/type] link-keys)))
(s/def :link/moved? true?)
(defmethod kernel-event :link/gone [_] (s/and ::link-facts (only [:event/type :link/moved?] link-keys)))
(defmethod kernel-event :addr/new [_] (s/and ::address-facts (only [:event/type] address-keys)))
(defmethod kernel-event :addr/gone [_] (s/and ::address-facts (only [:event/type] address-keys)))
(defmethod kernel-event :ns/new [_] (s/and (s/keys :req [:ns/id]) (only [:event/type :ns/id])))
(defmethod kernel-event :ns/gone [_] (s/and (s/keys :req [:ns/id]) (only [:event/type :ns/id])))
(s/def :nd/servers (s/coll-of :addr/ip :kind vector?))
(s/def :nd/search (s/coll-of ::phrase :kind vector?))
(s/def :nd/lifetime-s nat-int?)
(defmethod kernel-event :nd/dns [_]
  (s/and (s/keys :req [:ns/id :link/index :nd/servers :nd/search :nd/lifetime-s])
         (only [:event/type :ns/id :link/index :nd/servers :nd/search :nd/lifetime-s])))
(s/def :router/ip :addr/ip)
(def ^:private router-event (s/and (s/keys :req [:ns/id :link/index :router/ip])
                                   (only [:event/type :ns/id :link/index :router/ip])))
(defmethod kernel-event :router/new [_] router-event)
(defmethod kernel-event :router/gone [_] router-event)
(s/def :ns/trusted? boolean?)
(s/def :ns/netns (s/nilable ::phrase))
(s/def :ns/inode (s/nilable pos-int?))
(defmethod kernel-event :ns/known [_]
  (s/and (s/keys :req [:ns/id :ns/trusted? :ns/netns :ns/inode])
         (only [:event/type :ns/id :ns/trusted? :ns/netns :ns/inode])))
(s/def :snapshot/events (s/coll-of ::kernel-event :kind vector?))
(defmethod kernel-event :ns/read [_]
  (s/and (s/keys :req [:ns/id :snapshot/events]) (only [:event/type :ns/id :snapshot/events])))
(defmethod kernel-event :event/snapshot [_]
  (s/and (s/keys :req [:snapshot/events]) (only [:event/type :snapshot/events])))
(s/def :lease/names (s/map-of (s/tuple :ns/id :link/index) ::phrase))
(defmethod kernel-event :lease/names [_]
  (s/and (s/keys :req [:lease/names]) (only [:event/type :lease/names])))
(defmethod kernel-event :event/overflow [_] (only [:event/type]))
(s/def ::kernel-event (s/multi-spec kernel-event :event/type))

(s/def ::place (s/tuple :ns/id :link/index))
(s/def :inv/links (s/map-of ::place ::link))
(s/def :inv/addresses (s/and (s/map-of ::place (s/map-of :addr/ip ::address :conform-keys true))
                             #(every? (fn [[_ by-ip]] (every? (fn [[ip a]] (= ip (:addr/ip a))) by-ip)) %)))
(s/def :inv/routers (s/map-of ::place (s/coll-of :router/ip :kind set? :min-count 1)))
(s/def :inv/left (s/map-of ::place int?))
(s/def :inv/namespaces (s/map-of nat-int? (s/keys :opt [:ns/trusted? :ns/netns :ns/inode])))
(s/def :inv/leases (s/map-of ::place ::phrase))
(s/def :inv/doubles (s/map-of ::place (s/map-of (s/tuple :addr/ip :addr/prefix) ::address)))
(s/def :inv/parted (s/map-of ::place int?))
(s/def :inv/places (s/map-of :ns/id (s/coll-of ::place :kind set? :min-count 1)))
(def ^:private inventory-keys
  [:inv/links :inv/addresses :inv/routers :inv/left :inv/namespaces :inv/leases :inv/doubles :inv/parted
   :inv/places])
(s/def ::inventory (s/and (s/keys :req [:inv/links :inv/addresses]) (only inventory-keys)))

;; --- a run

(s/def :attachment/net any?) ; a descriptor of the shell's, or nil: nothing of it is known here
(s/def :attachment/uts any?)
(s/def :attachment/netns (s/nilable ::namespace))
(s/def :attachment/netns-id :ns/id)
(s/def :attachment/nsid :ns/id)
(s/def :attachment/index (s/nilable :link/index)) ; nil: where we do not see it
(s/def :attachment/link :service/link)
(s/def :attachment/kind :service/type)
(s/def :attachment/hwaddr :link/hwaddr)
(s/def :attachment/link-netns (s/nilable ::namespace))
(s/def :attachment/addresses (s/coll-of ::address :kind vector?))
(s/def :attachment/usable? boolean?)
(s/def :grant/lease map?) ; as far as it was told
(s/def :grant/queues (s/coll-of any? :kind vector?)) ; descriptors of the shell's
(s/def :grant/holder any?)
(s/def :grant/from (s/or :here #{:here} :ontapd (s/map-of #{:path :pid} any?)))
(s/def :attachment/grant
  (s/and (s/keys :req [:grant/lease :grant/from] :opt [:grant/queues :grant/holder])
         (only [:grant/lease :grant/from :grant/queues :grant/holder])))

(s/def ::attachment
  (s/and (s/keys :req [:attachment/nsid :attachment/index :attachment/kind]
                 :opt [:attachment/link :attachment/net :attachment/uts :attachment/netns :attachment/netns-id
                       :attachment/hwaddr :attachment/link-netns :attachment/grant :attachment/addresses :attachment/usable?])
         (only [:attachment/nsid :attachment/index :attachment/link :attachment/kind :attachment/net :attachment/uts
                :attachment/netns :attachment/netns-id :attachment/hwaddr :attachment/link-netns :attachment/grant :attachment/addresses :attachment/usable?])))

(s/def :identity/uid nat-int?)
(s/def :identity/gid nat-int?)
(s/def :identity/groups (s/nilable (s/coll-of nat-int? :kind vector? :distinct true)))
(s/def :identity/name ::phrase)
(s/def :identity/home string?)
(s/def :identity/shell string?)
(s/def ::identity
  (s/and (s/keys :req [:identity/uid :identity/gid :identity/groups :identity/name :identity/home :identity/shell])
         (only [:identity/uid :identity/gid :identity/groups :identity/name :identity/home :identity/shell])))

;; --- what is written down

(s/def :record/v #{1})
(s/def :record/boot-id ::phrase)
(s/def :record/name ::name)
(s/def :record/service ::spec/service)
(s/def :record/phase #{:intent :running :rest})
(s/def :record/state :sup/state)
(s/def :record/want :sup/want)
(s/def :record/again? boolean?)
(s/def :record/runs :sup/runs)
(s/def :record/restarts nat-int?)
(s/def :record/netns (s/nilable ::namespace))
(s/def :record/cgroup (s/nilable ::absolute))
(s/def :record/pid (s/nilable pos-int?))
(s/def :record/ticks (s/nilable nat-int?))
(s/def :record/since-epoch-ms (s/nilable nat-int?))
(s/def :record/at-ms ::ms)
(s/def ::record
  (s/and (s/keys :req [:record/v :record/boot-id :record/name :record/service :record/phase :record/state :record/want
                       :record/again? :record/runs :record/restarts :record/netns :record/cgroup :record/pid
                       :record/ticks :record/since-epoch-ms :record/at-ms])
         #(= (:record/name %) (:service/name (:record/service %)))
         #(every? (fn [k] (= "record" (namespace k))) (keys %))))

(s/def :paths/dir ::absolute)
(s/def :paths/lock ::absolute)
(s/def :paths/control ::absolute)
(s/def :paths/services ::absolute)
(s/def :paths/log ::absolute)
(s/def :paths/ready ::absolute)
(s/def :paths/notify ::absolute)
(s/def ::paths
  (s/and (s/keys :req [:paths/dir :paths/lock :paths/control :paths/services :paths/log :paths/ready :paths/notify])
         (only [:paths/dir :paths/lock :paths/control :paths/services :paths/log :paths/ready :paths/notify])))

;; --- what is told: unqualified, for programs of others

(s/def :row/name ::name)
(s/def :row/state :sup/state)
(s/def :row/since-ms ::ms)
(s/def :row/pid (s/nilable pos-int?))
(s/def :row/user ::phrase)
(s/def :row/link :service/link)
(s/def :row/port :service/port)
(s/def :row/type :service/type)
(s/def :row/addresses (s/coll-of :addr/ip :kind vector?))
(s/def :row/reason (s/nilable ::phrase))
(s/def :row/restarts nat-int?)
(s/def :row/exit (s/nilable ::exit))
(s/def :row/log ::absolute)
(s/def :row/requires :service/requires)
(s/def :row/ready :service/ready)
(s/def :row/adopted? boolean?)

(s/def :row/dhcp (s/nilable map?)) ; the summary of the lease machine

(def row-keys
  "The keys of a row of status, no more and no fewer."
  [:name :state :since-ms :pid :user :link :port :type :addresses :reason :restarts :exit :log :requires :ready :adopted? :dhcp])

(s/def ::row
  (s/and (s/keys :req-un [:row/name :row/state :row/since-ms :row/pid :row/user :row/link :row/port :row/type
                          :row/addresses :row/reason :row/restarts :row/exit :row/log :row/requires :row/ready
                          :row/adopted? :row/dhcp])
         #(= (set row-keys) (set (keys %)))))
