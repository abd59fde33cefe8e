;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.book
  "What an allocator writes down, so that the next one can take the leases up again:
  one file, replaced atomically at each change, and a FIFO for each lease with a holder.

  The file is EDN: a map with :alloc/v 1, :alloc/boot-id and :alloc/next, then the
  leases, each on a line of its own."
  (:require [clojure.edn :as edn]
            [ontap.model.text :as text])
  (:import (java.io ByteArrayOutputStream File IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files NoSuchFileException)
           (ontap.sys Errno Fd Io SysException)))

(set! *warn-on-reflection* true)

(defn layout
  "The paths of an allocator in the run-time folder `dir`."
  [dir]
  {:book/dir   dir
   :book/file  (str dir "/leases.edn")
   :book/lock  (str dir "/leases.lock")
   :book/fifos (str dir "/leases")
   :book/taps  (str dir "/netns")})

(defn- ensure-dir! [^String path mode]
  (try (Io/mkdir path (int mode))
       (catch SysException e
         (when-not (= Errno/EEXIST (.errno e)) (throw e)))))

(defn prepare!
  "Makes the folder of `book` in its run-time folder, which is there."
  [{:book/keys [fifos]}]
  (ensure-dir! fifos 0700))

(defn- utf8 ^bytes [^String s] (.getBytes s StandardCharsets/UTF_8))

(defn- lines-of
  "id -> [lease its line as bytes] for `leases`; those of `lines` that did not change are
  taken as they are."
  [lines leases written-lease]
  (let [now (reduce-kv (fn [lines id lease]
                         (if (identical? lease (first (lines id)))
                           lines
                           (assoc lines id [lease (if-let [l (written-lease lease)]
                                                    (utf8 (str id " " (text/edn l) "\n"))
                                                    (byte-array 0))])))
                       lines leases)]
    (cond-> now
      (not= (count now) (count leases)) (select-keys (keys leases)))))

(defn write!
  "Replaces the file by the next id and the leases, each as the function `written-lease`
  gives it, or not at all. `lines`, a volatile of a map, spares what did not change: two
  writes make an attach, and there may be a thousand leases. Throws SysException."
  [{:book/keys [file]} boot-id lines {:alloc/keys [next leases]} written-lease]
  (let [now (vswap! lines lines-of leases written-lease)
        out (ByteArrayOutputStream. (+ 256 (* 512 (count leases))))]
    (.writeBytes out (utf8 (str "{:alloc/v 1, :alloc/boot-id " (pr-str boot-id) ", :alloc/next " next
                                ", :alloc/leases {\n")))
    (run! #(.writeBytes out (second (now %))) (keys leases))
    (.writeBytes out (utf8 "}}\n"))
    (Io/replace file (.toByteArray out) 0600)))

(defn- id-of-fifo [^File f] (parse-long (.getName f)))

(defn- put-aside!
  "Keeps what cannot be read from being written over. The ids that follow are of no FIFO
  that a holder may have, so of no link with descriptors either."
  [{:book/keys [file fifos]} sentence]
  (let [aside (str file ".unreadable")]
    {:unreadable (try (Io/rename file aside)
                      (str sentence "; it is " aside " now")
                      (catch SysException _ sentence))
     :alloc/next (inc (reduce max 0 (map id-of-fifo (.listFiles (File. ^String fifos)))))}))

(defn- sweep-fifos!
  "Removes the FIFOs of no lease of `leases`."
  [{:book/keys [fifos]} leases]
  (doseq [^File f (.listFiles (File. ^String fifos))
          :when (not (contains? leases (id-of-fifo f)))]
    (Io/unlink (.getPath f))))

(defn read-book
  "What was written down in this boot: {:alloc/next :alloc/leases}; that of an earlier
  boot is of no use, nothing of that time lives. {:unreadable sentence :alloc/next} when
  there is something else in its place, which is put aside."
  [{:book/keys [file] :as book} boot-id]
  (let [nothing {:alloc/next 1 :alloc/leases (sorted-map)}
        read    (try
                  (let [{:alloc/keys [v leases] :as all} (edn/read-string (Files/readString (.toPath (File. ^String file))))]
                    (cond
                      (not= 1 v) {:unreadable (str file " is of another version of ontap")}
                      (not= boot-id (:alloc/boot-id all)) nothing
                      :else {:alloc/next (:alloc/next all) :alloc/leases (into (sorted-map) leases)}))
                  (catch NoSuchFileException _ nothing)
                  (catch IOException e {:unreadable (str "unable to read " file ": " (ex-message e))})
                  (catch RuntimeException e {:unreadable (str file " is damaged: " (ex-message e))}))]
    (if-let [sentence (:unreadable read)]
      (put-aside! book sentence)
      (do (sweep-fifos! book (:alloc/leases read))
          read))))

(defn lock!
  "Takes the lock of the allocator, for as long as this process lives; nil when another
  has it."
  ^Fd [{:book/keys [lock]}]
  (let [fd (Io/open lock (bit-or Io/O_RDWR Io/O_CREAT) 0600)]
    (if (Io/tryLock fd)
      fd
      (do (.close fd) nil))))

;; --- the FIFO of a lease

(defn- fifo ^String [{:book/keys [fifos]} id] (str fifos "/" id))

(defn holder-ends
  "A new FIFO for lease `id`: [our end, the holder's end]. The last copy of the holder's
  end that is closed hangs ours up. Only root can open the file."
  [book id]
  (let [path (fifo book id)]
    (when-not (Io/stat path) (Io/mkfifo path 0600))
    (let [ours (Io/open path (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0)]
      (try
        [ours (Io/open path (bit-or Io/O_WRONLY Io/O_NONBLOCK) 0)]
        (catch Throwable t
          (.close ours)
          (throw t))))))

(defn holder-end
  "Our end of the FIFO of lease `id`, opened again: {:fd Fd :held? does anybody hold it},
  or nil when the file is gone."
  [book id]
  (let [path (fifo book id)]
    (when (Io/stat path)
      (let [fd    (Io/open path (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0)
            bytes (byte-array 512)]
        ;; what a holder wrote is nobody's concern
        (loop [n (Io/read fd bytes 0 512) most 256]
          (if (and (pos? n) (pos? most))
            (recur (Io/read fd bytes 0 512) (dec most))
            {:fd fd :held? (not (zero? n))}))))))

(defn forget!
  "Removes the FIFO of lease `id`; none is fine."
  [book id]
  (Io/unlink (fifo book id)))
