;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.allocator-test
  "The allocator with a kernel of paper, and a loop, a book and holders that are real: who
  asks is answered once, whatever goes wrong, and what is held for a lease is let go."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is]]
            [ontap.alloc.allocator :as allocator]
            [ontap.alloc.book :as book]
            [ontap.testing :as testing])
  (:import (java.io File)
           (java.util.concurrent CompletableFuture LinkedBlockingQueue TimeUnit)
           (ontap.sys EventLoop Fd Io PidFd)))

(set! *warn-on-reflection* true)

;; --- a kernel of paper: what it was asked to do is written into :done

(def ^:private facts #:lease{:nsid 3 :netns {:dev 4 :ino 99} :parent 2 :hwaddr "02:00:00:00:00:01" :mtu 1500})

(defn- no [& _] (throw (ex-info "no" {:rule :kernel})))

(def ^:private paper
  {:look   (fn [_ & _] {:net/nsid 3 :net/id {:dev 4 :ino 99} :net/own? false :net/owner 0})
   :make   (fn [{:lease/keys [queues]} _] {:facts facts :fds (vec (repeatedly (or queues 0) #(let [[^Fd a b] (Io/pipe false)] (.close a) b)))})
   :delete (fn [_] :removed)
   :there? (fn [_] true)})

(defn- noted-down
  "The functions of `kernel`, each call of which is put into the queue `done`."
  [kernel ^LinkedBlockingQueue done]
  (into {} (for [[k f] kernel]
             [k (fn [& arguments] (.put done [k (:lease/id (first arguments))]) (apply f arguments))])))

(defn- start
  "An allocator in the folder `dir` whose loop runs in a thread of its own. `kernel`: what
  differs from `paper`; `halt` and `hear` as of an allocator."
  [dir {:keys [kernel hear] :or {hear (fn [])}}]
  (let [bugs  (LinkedBlockingQueue.)
        done  (LinkedBlockingQueue.)
        loop  (EventLoop. (fn [^Throwable t] (.put bugs t)))
        book  (book/layout (str dir))
        alloc (allocator/allocator
               {:loop loop :note (fn [level _ text] (when (= :error level) (.put done [:error text]))) :book book :boot-id "boot"
                :hear hear :halt (fn [_ _]) :guests {}
                :submit (fn [_ task then]
                          (future (let [result (try {:value (task)} (catch Throwable t {:error t}))]
                                    (try (.post loop #(then result)) (catch IllegalStateException _)))))
                :kernel (noted-down (merge paper kernel) done)})]
    (book/prepare! book)
    (allocator/take-up! alloc)
    (allocator/dispatch! alloc [:ports {"up0" {:port/name "up0"}}])
    (allocator/kernel-said! alloc [] #{"up0"})
    {:alloc alloc :loop loop :done done :bugs bugs :book book
     :thread (doto (Thread. #(.run loop) "allocator") (.start))}))

(defn- in-loop
  "What `f` gives in the loop's thread."
  [{:keys [^EventLoop loop]} f]
  (let [answer (CompletableFuture.)]
    (.post loop #(try (.complete answer (f)) (catch Throwable t (.completeExceptionally answer t))))
    (.get answer 20 TimeUnit/SECONDS)))

(defn- stop! [{:keys [^EventLoop loop ^Thread thread alloc bugs]}]
  (.stop loop)
  (.join thread 20000)
  (allocator/close! alloc)
  (.close loop)
  (is (empty? bugs) "No handler threw."))

(defmacro ^:private with-allocator
  "The body with `it` bound to a running allocator; every descriptor is closed in the end."
  [[it options] & body]
  `(testing/with-temp-dir [dir#]
     (let [before# (set (Fd/open))
           ~it (start dir# ~options)]
       (try ~@body (finally (stop! ~it)))
       (is (= [] (testing/wait-for "descriptors to be closed" 5000 #(when (empty? (remove before# (Fd/open))) [])))))))

(def ^:private root {:peer/uid 0 :peer/user "root" :peer/groups #{} :peer/pid 1 :peer/ticks 1})

(defn- request [type & {:as more}]
  (merge {:request/verb :attach :request/type type :request/name nil :request/queues 2 :request/mode nil :request/keep? false
          :request/link (when (= "macvlan" type) "eth0") :request/setup :none :request/lease (if (= "macvlan" type) :namespace :holder)}
         more))

(defn- ask
  "Asks in the loop's thread: a queue of answers. Of a grant the caller gets a copy of the
  holder's end; `taken?`: is somebody there to be told?"
  ([it request] (ask it request {}))
  ([{:keys [alloc] :as it} request {:keys [port net asker taken?] :or {port "up0" taken? true}}]
   (let [answers (LinkedBlockingQueue.)]
     (in-loop it #(allocator/ask! alloc {:port port :peer root :request request :net net :asker asker}
                                  (fn [{:grant/keys [^Fd holder] :as answer}]
                                    (.put answers (cond-> answer (and taken? holder) (assoc :copy (.dup holder))))
                                    taken?)))
     answers)))

(defn- answer [^LinkedBlockingQueue answers] (.poll answers 20 TimeUnit/SECONDS))

(defn- await-done
  "Waits until the kernel was asked for `what`."
  [{:keys [^LinkedBlockingQueue done]} what]
  (testing/wait-for (str what) 20000 #(when-let [did (.poll done)] (= what did))))

(defn- await-leases [{:keys [alloc] :as it} f]
  (testing/wait-for "the leases" 20000 #(let [leases (in-loop it (fn [] (vec (allocator/leases alloc root))))] (when (f leases) leases))))

(defn- fifos [{:keys [book]}] (vec (.list (File. ^String (:book/fifos book)))))

(defn- written [{:keys [book]}] (:alloc/leases (book/read-book book "boot")))

(defn- child ^Process [] (.start (ProcessBuilder. ^"[Ljava.lang.String;" (into-array ["sleep" "300"]))))

;; --- what goes well

(deftest a-link-and-its-holder
  (with-allocator [it {}]
    (let [answers (ask it (request "macvtap" :request/name "vm1"))
          {:grant/keys [lease queues] :keys [^Fd copy]} (answer answers)]
      (is (= [1 "vm1" :held 2] [(:lease/id lease) (:lease/name lease) (:lease/state lease) (count queues)]))
      (is (= ["1"] (fifos it)))
      (is (= :held (get-in (written it) [1 :lease/state])) "It was written down before it was answered.")
      (.close copy)
      (await-done it [:delete 1])
      (await-leases it empty?)
      (is (= [[] {}] [(fifos it) (written it)]) "The last holder closed it, and nothing is left.")
      (is (empty? answers) "It was answered once."))))

(deftest a-release-is-answered-when-the-link-is-gone
  (with-allocator [it {}]
    (let [{:keys [^Fd copy]} (answer (ask it (request "macvtap")))
          answers (LinkedBlockingQueue.)]
      (in-loop it #(allocator/release! (:alloc it) root 1 (fn [a] (.put answers a) true)))
      (is (= {:released 1} (answer answers)))
      (is (= {} (written it)))
      (.close copy))))

;; --- what goes wrong

(deftest who-asks-in-vain-is-told
  (doseq [[what kernel type] [["the look" {:look no} "macvlan"] ["the making" {:make no} "macvlan"] ["the making" {:make no} "macvtap"]
                              ["a bug" {:make (fn [_ _] (throw (IllegalStateException. "oops")))} "macvtap"]]]
    (with-allocator [it {:kernel kernel}]
      (let [[net ^Fd other] (Io/pipe false)
            answers (ask it (request type) {:net net})]
        (is (= :kernel (get-in (answer answers) [:refused :refusal/rule])) what)
        (await-leases it empty?)
        (is (empty? answers) "Once.")
        ;; the namespace that came with it is let go
        (testing/wait-for "the other end" 5000 #(pos? (bit-and Io/POLLERR (Io/await other 0 0))))
        (.close other)))))

(deftest what-comes-with-a-refused-request-is-let-go
  (with-allocator [it {}]
    (let [asker  (child)
          answer (answer (ask it (assoc (request "macvtap") :request/type "macvlan")
                              {:port "up9" :net (let [[net ^Fd other] (Io/pipe false)] (.close other) net) :asker (PidFd/open (int (.pid asker)))}))]
      (is (= :port (get-in answer [:refused :refusal/rule])))
      (.waitFor (.destroyForcibly asker)))))

(deftest nobody-is-there-to-be-told
  (with-allocator [it {}]
    (is (:grant/lease (answer (ask it (request "macvtap") {:taken? false}))))
    (await-done it [:delete 1])
    (await-leases it empty?)
    (is (= [] (fifos it)))))

(deftest a-lease-that-cannot-be-held
  (with-allocator [it {}]
    (let [folder (io/file (:book/fifos (:book it)))]
      (.delete folder)
      (let [answers (ask it (request "macvtap"))]
        (is (= :kernel (get-in (answer answers) [:refused :refusal/rule])) "Who asked is told all the same.")
        (await-leases it empty?)
        (is (empty? answers) "Once."))
      (.mkdir folder))))

(deftest a-link-that-does-not-go
  (let [tries (atom 0)]
    (with-allocator [it {:kernel {:delete (fn [_] (when (= 1 (swap! tries inc)) (no)) :removed)}}]
      (.close ^Fd (:copy (answer (ask it (request "macvtap")))))
      (await-leases it empty?)
      (is (= 2 @tries) "It is tried again."))))

(deftest a-link-that-goes-while-it-is-made
  (let [it (promise)]
    (with-allocator [running {:kernel {:there? (fn [_] false)}
                              ;; the kernel said so before the allocator knew of the link
                              :hear #(allocator/kernel-said! (:alloc @it) [{:event/type :link/gone :ns/id 3 :link/index 1001}] #{"up0"})}]
      (deliver it running)
      (let [{:grant/keys [lease] :keys [^Fd copy]} (answer (ask running (request "macvtap")))]
        (is (= 1 (:lease/id lease)))
        (await-done running [:there? 1])
        (await-leases running empty?)
        (.close copy)))))

;; --- a kept link


(deftest a-kept-link-is-taken-again-while-who-asked-first-lives
  (with-allocator [it {}]
    (let [first-one (child), second-one (child)
          kept (request "macvtap" :request/name "vm1" :request/keep? true)
          get! (fn [^Process p] (answer (ask it kept {:asker (PidFd/open (int (.pid p)))})))]
      (try
        (.close ^Fd (:copy (get! first-one)))
        (await-leases it #(= [:kept] (map :lease/state %)))
        (let [{:grant/keys [lease] :keys [^Fd copy]} (get! second-one)]
          (is (= 1 (:lease/id lease)) "It is that very link.")
          (.waitFor (.destroyForcibly first-one))
          (is (= 1 (count (filter #(re-find #"pidfd" %) (Fd/open)))) "Only who asked last counts.")
          (.waitFor (.destroyForcibly second-one))
          (testing/wait-for "its end to be heard" 5000
            #(in-loop it (fn [] (:lease/asker-gone? (get-in @(:state (:alloc it)) [:alloc/leases 1])))))
          (.close copy)
          (await-leases it #(= [:kept] (map :lease/state %))))
        (finally (run! #(.destroyForcibly ^Process %) [first-one second-one]))))))

(deftest a-kept-link-that-cannot-be-handed-on
  (let [fail? (atom false)]
    (with-allocator [it {:kernel {:make (fn [l n] (if @fail? (no) ((:make paper) l n)))}}]
      (let [kept (request "macvtap" :request/name "vm1" :request/keep? true)]
        (.close ^Fd (:copy (answer (ask it kept))))
        (await-leases it #(= [:kept] (map :lease/state %)))
        (reset! fail? true)
        (is (:refused (answer (ask it kept))))
        (is (= [:kept] (map :lease/state (await-leases it seq))) "It is kept as before.")
        (reset! fail? false)
        (.close ^Fd (:copy (answer (ask it kept))))))))

;; --- a restart

(deftest a-book-that-cannot-be-read
  (testing/with-temp-dir [dir]
    (let [book (book/layout (str dir))]
      (book/prepare! book)
      (Io/mkfifo (str (:book/fifos book) "/12") 0600)
      (spit (:book/file book) "{:alloc/v 1, :al")
      (let [it (start dir {})
            {:grant/keys [lease] :keys [^Fd copy]} (answer (ask it (request "macvtap")))]
        (is (= 13 (:lease/id lease)) "Its links are left alone: no other gets their names and numbers.")
        (is (some #{[:error (str (:book/file book) " is damaged: EOF while reading; it is " (:book/file book)
                                 ".unreadable now; the links it tells of are left alone")]}
                  (:done it)))
        (.close copy)
        (await-leases it empty?)
        (stop! it)))))

(deftest the-next-allocator-takes-up-what-lives
  (testing/with-temp-dir [dir]
    (let [it (start dir {})
          [a b c] (mapv #(answer (ask it (request "macvtap" :request/name %))) ["a" "b" "c"])]
      (stop! it)
      (.close ^Fd (:copy a))
      (let [it (start dir {:kernel {:there? (fn [{:lease/keys [name]}] (not= "c" name))}})]
        (await-done it [:delete 1])
        (is (= ["b"] (map :lease/name (await-leases it #(= 1 (count %)))))
            "Not the one that nobody holds, nor the one whose link is gone.")
        (is (= ["2"] (fifos it)))
        (is (= 4 (:lease/id (:grant/lease (let [d (answer (ask it (request "macvtap")))] (.close ^Fd (:copy d)) d)))) "No id is given again.")
        (.close ^Fd (:copy b))
        (await-leases it empty?)
        (is (= [[] {}] [(fifos it) (written it)]))
        (stop! it))
      (.close ^Fd (:copy c)))))
