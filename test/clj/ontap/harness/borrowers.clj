;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.borrowers
  "Processes that have a link of ontapd's, by the client of test/client, and tell whether
  it still works when they are asked; and what ontapd wrote down held against what the
  kernel has. For links of types macvlan and macvtap, and taps."
  (:require [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.testing :as testing])
  (:import (java.io File OutputStream)
           (java.nio.file Files Path)
           (java.util.concurrent LinkedBlockingQueue)
           (ontap.rtnl Rtnl)
           (ontap.sys Io Namespaces)))

(set! *warn-on-reflection* true)

;; --- a borrower: the client becomes perl, which does as it is told

(def ^:private ethertype "For local experiments (IEEE 802)." 0x88b5)

(def ^:private looker
  "Says `held`; for each line MARK sends a frame with it through the link, and says the
  link's name; ends with its input."
  (str "$| = 1; print qq(held\\n); my $t;
if (defined $ENV{ONTAP_FD0}) { open($t, '+<&=', $ENV{ONTAP_FD0}) or die qq(the tap: $!) }
while (my $mark = <STDIN>) {
  chomp $mark;
  my $frame = pack('H12 H12 n a46', 'f' x 12, $ENV{ONTAP_HWADDR} =~ s/://gr, " ethertype ", qq($mark\\n));
  my $name = $ENV{ONTAP_IFNAME};
  my $r = pack('a16 x24', $name);
  if ($t) {
    ioctl($t, 0x800454d2, $r) or do { print qq(TUNGETIFF: $!\\n); next };
    $name = unpack('Z16', $r);
    syswrite($t, (chr(0) x 10) . $frame) or do { print qq(write: $!\\n); next };
  } else {
    socket(my $s, 17, 3, 0) or die qq(socket: $!);
    ioctl($s, 0x8933, $r) or do { print qq(no link: $!\\n); next };
    my $to = pack('S n l S C C a8', 17, " ethertype ", unpack('x16 l', $r), 0, 0, 6, '');
    send($s, $frame, 0, $to) or do { print qq(send: $!\\n); next };
  }
  print qq($mark by $name\\n);
}"))

(defn start
  "Starts a borrower on the host of `lan`, and does not wait. `asks`: keys of the request,
  {\"type\" \"macvtap\" \"name\" \"vm1\" ..}, and \"port\" (up0). What goes into a namespace goes
  into a fresh one. `clients`: the folder of `ontap.harness.uml/compile-clients!`."
  [lan clients {:strs [type] :as asks}]
  (assoc (apply lan/spawn {:input? true}
                (apply lan/in (:host lan)
                       (concat [(io/file clients "ontap-client") (ontapd/socket lan (get asks "port" "up0")) "attach"]
                               (for [[k v] (dissoc asks "port")] (str k "=" v))
                               (when (#{"macvlan" "ipvlan"} type) ["--unshare"])
                               ["--" "perl" "-e" looker])))
         :asks asks))

(defn running? [{:keys [^Process process]}] (.isAlive process))

(defn await-held
  "Waits until `borrower` has its link (true), or has ended without (false); 40 s at most."
  [{:keys [^LinkedBlockingQueue lines] :as borrower}]
  (testing/wait-for "an answer" 40000
                    #(cond (some #{"held"} lines) :held
                           (not (running? borrower)) :ended))
  (boolean (some #{"held"} lines)))

(defn leave!
  "Has `borrower` end by itself: its exit status."
  [{:keys [^Process process] :as borrower}]
  (.close ^OutputStream (.getOutputStream process))
  (lan/await-end borrower 30))

(defn kill!
  "Kills `borrower` and waits for its end."
  [borrower]
  (.destroyForcibly ^Process (:process borrower))
  (lan/await-end borrower 30))

(defn said
  "All that `borrower`, which has ended, has said."
  [{:keys [lines] :as borrower}]
  (testing/wait-for "its last word" 5000 #(some #{:end} lines))
  (lan/said borrower))

;; --- the other end of the cable

(def ^:private ear
  "Prints what frames of our type bring."
  (str "$| = 1; socket(my $s, 17, 3, unpack('S', pack('n', " ethertype "))) or die $!;
print qq(listening\\n);
while (defined recv($s, my $f, 2048, 0)) { print substr($f, 14) =~ /^([^\\n]*)/, qq(\\n) }"))

(defn listen
  "A process of the peer of `lan` that hears what `works?` sends, once it listens."
  [lan]
  (let [heard (apply lan/spawn {} (lan/in (:peer lan) "perl" "-e" ear))]
    (lan/await-line heard #"listening")
    heard))

(defn fault
  "Why the link of `borrower` does not work, or nil: a frame is sent through it, and heard
  by `heard` (see `listen`; nil: nobody hears what goes through it)."
  [{:keys [^Process process] :as borrower} heard]
  (let [mark (str "mark-" (:pid borrower) "-" (System/nanoTime))]
    (try
      (doto ^OutputStream (.getOutputStream process)
        (.write (.getBytes (str mark "\n")))
        (.flush))
      (lan/await-line borrower (re-pattern (str mark " by ")))
      (when heard (lan/await-line heard (re-pattern mark)))
      nil
      (catch Exception e (ex-message e)))))

;; --- the truth

(defn- links
  "The links that ontapd could have made in the namespace `net` (a file): #{[index name kind hwaddr]}."
  [net]
  (let [{:keys [exit out err]}
        (testing/run {} "nsenter" (str "--net=" net) "sh" "-c"
                     (str "ip -j -d link | jq -r '.[] | select(.linkinfo.info_kind | IN(\"macvlan\", \"macvtap\", \"tun\"))"
                          " | [.ifindex, .ifname, .linkinfo.info_kind, .address] | @tsv'"))]
    (when-not (= 0 exit) (throw (ex-info (str "ip -j link: " err) {})))
    (into #{} (for [line (str/split-lines out) :when (seq line)
                    :let [[index & more] (str/split line #"\t")]]
                (into [(parse-long index)] more)))))

(defn- expected
  "The link that `lease` says there is."
  [{:lease/keys [index link type hwaddr]}]
  (if (= "tap" type)
    ;; the address is the guest's
    [index link "tun"]
    [index link type hwaddr]))

(defn- at [pid] (str "/proc/" pid "/ns/net"))

(defn- nsids
  "The ids that the host of `lan` has given to network namespaces, and those of the
  namespaces `files` and of its own, if there are some: asking for the links of a macvlan's
  namespace gives its parent's one."
  [{:keys [host]} files]
  (with-open [own  (Namespaces/ofProcess (int host) "net")
              rtnl (Rtnl/open own)]
    {:all   (set (.nsids rtnl))
     :known (into #{} (keep #(with-open [net (Io/open % Io/O_RDONLY 0)] (.nsid rtnl net))) (conj files (at host)))}))

(defn mounts
  "How much is mounted below the run-time folder of `lan`."
  [lan]
  (count (re-seq (re-pattern (java.util.regex.Pattern/quote (ontapd/path lan))) (String. (Files/readAllBytes (Path/of "/proc/self/mountinfo" (make-array String 0)))))))

(defn- in-namespaces? [{:lease/keys [type]}] (contains? #{"macvlan" "ipvlan"} type))

(defn untruths
  "Where what ontapd wrote down, what the kernel has and what `borrowers`, all that run,
  were promised are not the same: sentences. `before`: the nsids of before the first of them."
  [lan before borrowers]
  (let [leases   (or (ontapd/book lan) {})
        by-pid   (group-by :lease/pid (remove #(= :kept (:lease/state %)) (vals leases)))
        inside   (filter in-namespaces? (vals leases))
        outside  (remove in-namespaces? (vals leases))
        of-type  (fn [tap?] (into #{} (comp (filter #(= tap? (= "tap" (:lease/type %)))) (map expected)) outside))
        taps     (ontapd/path lan "netns")
        taps?    (pos? (mounts lan))
        in-taps  (if taps? (links taps) #{})
        in-host  (into #{} (map #(vec (take 3 %))) (links (at (:host lan))))
        fifos    (set (map #(parse-long (.getName ^File %)) (.listFiles (io/file (ontapd/path lan "leases")))))
        ;; one that is kept has its FIFO as a rule; not when ontapd was killed before it was made
        holders  (into #{} (keep (fn [[id l]] (when (and (= :holder (:lease/held l)) (or (fifos id) (not= :kept (:lease/state l)))) id)))
                       leases)
        ids      (nsids lan (cond-> (mapv #(at (:pid %)) borrowers) taps? (conj taps)))
        wrong    (fn [what a b] (when-not (= a b) (str what ": there are " (vec (set/difference a b)) " that should not be, not "
                                                       (vec (set/difference b a)))))]
    (remove nil?
            (concat
             [(when-let [odd (seq (remove #(contains? #{:held :kept} (:lease/state %)) (vals leases)))]
                (str "leases on their way: " (pr-str odd)))
              (wrong "links of taps" in-taps (of-type false))
              (wrong "links in the host's namespace" in-host (of-type true))
              (wrong "FIFOs" fifos holders)
              (wrong "processes with a lease" (set (keys by-pid)) (set (map :pid borrowers)))
              (when (< 1 (mounts lan)) (str (mounts lan) " mounts"))
              (when-let [odd (seq (set/difference (:all ids) (:known ids) before))]
                (str "namespaces live on: " (vec odd)))]
             (for [{:keys [pid asks]} borrowers
                   :let [[lease & more] (by-pid pid)]]
               (cond
                 (or more (nil? lease)) (str (inc (count more)) " leases of process " pid)
                 (not= (get asks "name") (:lease/name lease)) (str "another name than " asks ": " lease)
                 (not= (get asks "type") (:lease/type lease)) (str "another type than " asks ": " lease)
                 (not (in-namespaces? lease)) nil
                 (not= (process/inode (at pid)) (:ino (:lease/netns lease))) (str "another namespace: " lease)
                 :else (wrong (str "links of " pid) (links (at pid)) #{(expected lease)})))))))

(defn await-truth
  "Waits until there are no `untruths`, for 30 s at most; those that stay."
  [lan before borrowers]
  (let [last (volatile! nil)]
    (try
      (testing/wait-for "the truth" 30000
                        #(empty? (vreset! last (try (untruths lan before (filter running? borrowers))
                                                    ;; a namespace that ends while it is looked at
                                                    (catch Exception e [(ex-message e)])))))
      []
      (catch clojure.lang.ExceptionInfo _ (vec @last)))))

(defn namespaces
  "The nsids of `lan`, for `untruths`."
  [lan]
  (:all (nsids lan [])))
