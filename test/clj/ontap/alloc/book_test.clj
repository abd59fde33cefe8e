;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.book-test
  "What an allocator writes down is read again as it was, or said to be something else;
  and the FIFO of a lease tells who holds it, now and after a restart."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.alloc.book :as book]
            [ontap.testing :as testing-tools])
  (:import (java.io File)
           (java.nio.file Files)
           (java.nio.file.attribute PosixFilePermissions)
           (ontap.sys Fd Io)))

(set! *warn-on-reflection* true)

(defmacro ^:private with-book [[book] & body]
  `(testing-tools/with-temp-dir [dir#]
     (let [~book (book/layout (str dir#))]
       (book/prepare! ~book)
       ~@body)))

(defn- lease [id & {:as more}]
  (merge #:lease{:id id :port "up0" :type "macvtap" :name (str "vm" id) :uid 0 :held :holder :keep? false :state :held
                 :link (str "ontap" id) :index (+ 1000 id) :nsid 3 :netns {:dev 4 :ino 99} :queues 2 :mtu 1500
                 :hwaddr "02:00:00:00:00:01"}
         more))

(defn- state [next & leases] {:alloc/next next :alloc/leases (into (sorted-map) (map (juxt :lease/id identity)) leases)})

(defn- write! [book lines state]
  (book/write! book "boot" lines state #(when-not (= :looking (:lease/state %)) (dissoc % :lease/token))))

(defn- names [{:book/keys [dir]}] (sort (.list (File. ^String dir))))

(deftest what-is-written-is-read
  (with-book [book]
    (is (= {:alloc/next 1 :alloc/leases {}} (book/read-book book "boot")) "Nothing, before anything was written.")
    (let [lines (volatile! {})
          one   (assoc (lease 1) :lease/name "\"ü\\ \n;") , two (lease 2 :lease/name nil)
          wrote (fn [written state] (write! book lines state) (is (= written (book/read-book book "boot"))))]
      (wrote (state 1) (state 1))
      (wrote (state 3 one two) (state 3 one two))
      (wrote (state 3 one (lease 2 :lease/state :ending)) (state 3 one (lease 2 :lease/state :ending)))
      (wrote (state 4 one) (state 4 one (lease 3 :lease/state :looking)))
      (wrote (state 4 one (lease 3)) (state 4 one (lease 3 :lease/token 9)))
      (wrote (state 4 (lease 3)) (state 4 (lease 3)))
      (wrote (state 4) (state 4))
      (is (= {} @lines) "Nothing is remembered of what is over."))
    (is (= ["leases" "leases.edn"] (names book)) "No scratch file is left beside it.")
    (is (= "rw-------" (PosixFilePermissions/toString
                        (Files/getPosixFilePermissions (.toPath (io/file (:book/file book))) (make-array java.nio.file.LinkOption 0)))))))

(deftest another-boot
  (with-book [book]
    (write! book (volatile! {}) (state 8 (lease 7)))
    (run! #(.close ^Fd %) (book/holder-ends book 7))
    (is (= {:alloc/next 1 :alloc/leases {}} (book/read-book book "another boot")) "Nothing of that time lives.")
    (is (empty? (.list (File. ^String (:book/fifos book)))) "Its FIFOs go.")))

(deftest something-else-in-its-place
  (doseq [[what text says] [["cut" "{:alloc/v 1, :alloc/boot-id \"boot\", :alloc/next 2, :alloc/le" #"is damaged"]
                            ["another version" "{:alloc/v 2}" #"another version"]
                            ["empty" "" #"damaged|another version"]
                            ["no EDN" "{{{" #"damaged"]
                            ["no map" "[1 2]" #"damaged|another version"]
                            ["not text" "\u0000\u0001" #"damaged|another version"]]]
    (testing what
      (with-book [book]
        (spit (:book/file book) text)
        (run! #(.close ^Fd %) (concat (book/holder-ends book 1) (book/holder-ends book 12)))
        (let [{:keys [unreadable] :alloc/keys [next leases]} (book/read-book book "boot")]
          (is (= [13 nil] [next leases]) "No id is given that somebody may have.")
          (is (= text (slurp (str (:book/file book) ".unreadable"))) "It is not written over.")
          (is (re-find says (str unreadable)))
          (is (str/includes? (str unreadable) (:book/file book)) "The sentence names the file."))
        (is (= #{"1" "12"} (set (.list (File. ^String (:book/fifos book))))) "Nothing is swept that somebody may hold."))))
  (with-book [book]
    (.mkdir (io/file (:book/file book)))
    (is (re-find #"unable to read" (:unreadable (book/read-book book "boot"))))
    (is (= {:alloc/next 1 :alloc/leases {}} (book/read-book book "boot")) "Put aside, it is in nobody's way.")))

(deftest one-allocator-for-a-book
  (with-book [book]
    (let [mine (book/lock! book)]
      (is (some? mine))
      (is (nil? (book/lock! book)) "Another one gets no lock.")
      (.close ^Fd mine)
      (with-open [^Fd again (book/lock! book)] (is (some? again) "It is free with its holder's end.")))))

;; --- FIFOs

(defn- hung-up? [^Fd fd] (pos? (bit-and Io/POLLHUP (Io/await fd 0 0))))

(deftest the-last-holder
  (with-book [book]
    (let [[^Fd ours ^Fd theirs] (book/holder-ends book 5)
          copy (.dup theirs)]
      (is (not (hung-up? ours)))
      (.close theirs)
      (is (not (hung-up? ours)) "A copy holds it.")
      (testing "after a restart"
        (.close ours)
        (let [{:keys [^Fd fd held?]} (book/holder-end book 5)]
          (is (true? held?))
          (is (not (hung-up? fd)))
          (Io/writeAll copy (byte-array 1000))
          (with-open [^Fd again (:fd (book/holder-end book 5))]
            (is (not (hung-up? again)) "What a holder wrote is read away and means nothing."))
          (.close copy)
          (is (hung-up? fd) "The last copy is closed.")
          (.close fd))
        (let [{:keys [^Fd fd held?]} (book/holder-end book 5)]
          (is (false? held?) "Nobody holds it any more.")
          (.close fd))))
    (book/forget! book 5)
    (is (nil? (book/holder-end book 5)) "Forgotten, there is none.")
    (book/forget! book 5)))

(deftest a-holder-who-wrote-and-went
  (with-book [book]
    (let [[^Fd ours ^Fd theirs] (book/holder-ends book 6)]
      ;; as much as a FIFO takes; it is lost with the last end
      (Io/writeAll theirs (byte-array 65536))
      (.close theirs)
      (let [{:keys [^Fd fd held?]} (book/holder-end book 6)]
        (is (false? held?) "It is gone, whatever it left to read.")
        (.close fd))
      (.close ours))))
