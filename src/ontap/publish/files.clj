;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.files
  "Writes what a zone is published as: each file whole or not at all, only when its text is another, and
  then runs the command that was declared with it.

  One thing at a time for each of what is to be published: the first change of a burst is written at once,
  what comes meanwhile when that is written and its command has ended; what is newest is always written
  in the end. A command that failed runs again with the next change, as does a write.

  All functions are for the loop's thread and do not block: rendering and writing are given to `submit`, the
  command to `spawn`."
  (:require [clojure.string :as str]
            [ontap.publish.formats :as formats]
            [ontap.publish.zonefile :as zonefile])
  (:import (java.io File)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files Path)
           (java.util Arrays)
           (ontap.sys Errno Io SysException)))

(set! *warn-on-reflection* true)

;; --- off the loop

(defn- on-disk
  "The bytes of the file, or nil when there is none that can be read."
  ^bytes [^String path]
  (try (Files/readAllBytes (Path/of path (make-array String 0)))
       (catch java.io.IOException _ nil)))

(defn- replace!
  "Replaces the file, on the disk before the old one goes, with mode 0644 whatever the umask is."
  [^String path ^bytes bytes]
  (let [fresh (str path ".new")]
    (with-open [fd (Io/open fresh (bit-or Io/O_WRONLY Io/O_CREAT Io/O_TRUNC Io/O_NOFOLLOW) 0644)]
      (Io/writeAll fd bytes)
      (Io/chmod fresh 0644)
      (Io/fsync fd))
    (Io/rename fresh path)))

(defn- put!
  "Writes the text unless it is there: was it another?"
  [path ^String text]
  (let [bytes (.getBytes text StandardCharsets/UTF_8)]
    (when-not (Arrays/equals bytes (on-disk path))
      (replace! path bytes)
      true)))

(defn- ours?
  "Did we write this file, by its first line?"
  [^File file]
  (some-> (on-disk (.getPath file)) (String. StandardCharsets/UTF_8) (str/starts-with? zonefile/mark)))

(defn- forget-others!
  "Removes from a folder the zones that we wrote once and that are no more: did it remove any?"
  [folder kept]
  (let [gone (for [^File f (.listFiles (File. ^String folder))
                   :when (and (str/ends-with? (.getName f) ".zone")
                              (not (contains? kept (str folder (.getName f))))
                              (ours? f))]
               (.getPath f))]
    (run! #(Io/unlink %) (vec gone))
    (boolean (seq gone))))

(defn- make-folder! [^String folder]
  (try (Io/mkdir folder 0755)
       (catch SysException e (when-not (= Errno/EEXIST (.errno e)) (throw e)))))

(defn- write!
  "Writes all files of `publish` that `facts` make: did any change? Throws SysException. Blocks."
  [{:publish/keys [file] :as publish} facts]
  (let [files   (formats/files publish facts)
        folder? (formats/folder? publish)]
    (when folder? (make-folder! file))
    (let [written (count (filterv (fn [[path text]] (put! path text)) files))
          gone?   (and folder? (forget-others! file (set (keys files))))]
      (boolean (or gone? (pos? written))))))

;; --- on the loop

(defn publisher
  "What publishes, of checked things to publish (`:zone/publish`). `submit` (fn [name work done]) runs `work` elsewhere and
  calls `done` with {:value v} or {:error throwable} in the loop's thread; `spawn` (fn [words folder done]) starts a
  command there and calls `done`, in the loop's thread, with {:exit n}, {:signal n} or {:error text} when it has
  ended, or throws; `note` (fn [level text]) is told what a person should know."
  [{:keys [publish submit spawn note]}]
  {:submit submit :spawn spawn :note note :closed? (volatile! false)
   :outlets (mapv (fn [p] {:publish p :state (volatile! {:again? true})}) publish)})

(defn- what [{:publish/keys [file command]}] (str (first command) ", which follows " file ","))

(defn- tell!
  "Says what failed, once while it stays the same, and that it works again (nil)."
  [{:keys [note]} {:keys [publish state]} trouble]
  (let [old (:trouble @state)]
    (vswap! state assoc :trouble trouble)
    (cond (= old trouble) nil
          trouble         (note :warning trouble)
          :else           (note :info (str (:publish/file publish) " is up to date again")))))

(declare start!)

(defn- rest! [publisher {:keys [state] :as outlet}]
  (let [facts (:next @state)]
    (vswap! state dissoc :busy? :next)
    (when facts (start! publisher outlet facts))))

(defn- ended!
  "The command has ended, or there was none to be started."
  [publisher {:keys [publish state] :as outlet} {:keys [exit signal error]}]
  (let [how (cond error error
                  signal (str "was ended by signal " signal)
                  (not= 0 exit) (str "ended with exit status " exit))]
    ;; what failed is done again, also for the same text
    (vswap! state assoc :again? (some? how))
    (tell! publisher outlet (when how (str (what publish) " " how)))
    (rest! publisher outlet)))

(defn- folder-of [^String file]
  (let [end (.lastIndexOf file "/")] (if (pos? end) (subs file 0 end) "/")))

(defn- run-command! [{:keys [spawn] :as publisher} {:keys [publish] :as outlet}]
  (let [{:publish/keys [command file]} publish]
    (try
      (spawn command (folder-of file) #(ended! publisher outlet %))
      (catch Exception e
        (ended! publisher outlet {:error (str "does not start: " (ex-message e))})))))

(defn- written! [{:keys [closed?] :as publisher} {:keys [publish state] :as outlet} {:keys [value error]}]
  (cond
    error
    (do (vswap! state assoc :again? true)
        (tell! publisher outlet (str "unable to write " (:publish/file publish) ": " (ex-message error)))
        (rest! publisher outlet))

    (and (:publish/command publish) (not @closed?) (or value (:again? @state)))
    (run-command! publisher outlet)

    :else
    (do (vswap! state assoc :again? false)
        (tell! publisher outlet nil)
        (rest! publisher outlet))))

(defn- start! [{:keys [submit closed?] :as publisher} {:keys [publish state] :as outlet} facts]
  (when-not @closed?
    (vswap! state assoc :busy? true)
    (submit "publish" #(write! publish (facts)) #(written! publisher outlet %))))

(defn publish!
  "Publishes what `facts` (fn [] facts of `ontap.publish.formats`) gives when it is called, once for each thing to publish,
  in another thread."
  [{:keys [outlets closed?] :as publisher} facts]
  (when-not @closed?
    (doseq [{:keys [state] :as outlet} outlets]
      (if (:busy? @state)
        (vswap! state assoc :next facts)
        (start! publisher outlet facts)))))

(defn busy?
  "Is something being written, or a command running?"
  [{:keys [outlets]}]
  (boolean (some #(:busy? @(:state %)) outlets)))

(defn close!
  "Begins nothing any more; what has begun ends by itself."
  [{:keys [closed?]}]
  (vreset! closed? true))
