;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.demo-file
  "The scratch folder of the demonstration: the program that its services run, and the
  file that declares them and the zone."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.ops.demo-lan :as lan])
  (:import (java.io File)
           (java.nio.file Files LinkOption Path)
           (java.nio.file.attribute PosixFilePermission)
           (ontap.sys Errno Io SysException Users)))

(set! *warn-on-reflection* true)

(defn- path ^Path [text] (Path/of text (make-array String 0)))

;; --- the folder

(defn write!
  "Makes the file `name` of `text`, or what an input stream holds, in `dir`."
  [^File dir name mode text]
  (let [file (io/file dir name)]
    (io/make-parents file)
    (with-open [out (io/output-stream file)]
      (io/copy text out))
    (Io/chmod (.getPath file) (int mode))))

(defn- service-file
  "A web server of one page, for services that may be able to read nothing else of
  this program."
  [java dir]
  (str "#!/bin/sh\n"
       "# A web server of one page. Its one line of output says that it listens.\n"
       "exec '" java "' -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx16m \\\n"
       "  -XX:-UsePerfData -cp '" dir "' ontap.demo.Page \"$@\" >&3\n"))

(defn- new-folder!
  "A folder of a short name that was not there before."
  ^File []
  (loop [tries 100]
    (let [dir (io/file (System/getProperty "java.io.tmpdir") (format "ontap-demo-%04x" (rand-int 65536)))]
      (or (try (Io/mkdir (.getPath dir) 0711)
               dir
               (catch SysException e
                 (when (or (not= Errno/EEXIST (.errno e)) (zero? tries)) (throw e))))
          (recur (dec tries))))))

(defn make-folder!
  "A folder that every user can pass through, with the program of the services, run by the
  executable `java`."
  ^File [java]
  (let [dir (new-folder!)]
    (Io/chmod (.getPath dir) 0711)
    (write! dir "page" 0644 (service-file java dir))
    (with-open [class (io/input-stream (io/resource "ontap/demo/Page.class"))]
      (write! dir "ontap/demo/Page.class" 0644 class))
    (Io/chmod (str dir "/ontap") 0755)
    (Io/chmod (str dir "/ontap/demo") 0755)
    dir))

(defn delete-tree!
  "Deletes the folder and all in it."
  [^File dir]
  (doseq [^File f (reverse (file-seq dir))]
    (Files/deleteIfExists (.toPath f))))

;; --- whom they run as

(defn- allows? [^Path p permission]
  (contains? (Files/getPosixFilePermissions p (make-array LinkOption 0)) permission))

(defn- others-reach?
  "Has any user the `permission` to the file at `text`, and a way there?"
  [text permission]
  (let [[file & parents] (take-while some? (iterate #(.getParent ^Path %) (path text)))]
    (and (allows? file permission)
         (every? #(allows? % PosixFilePermission/OTHERS_EXECUTE) parents))))

(defn one-user?
  "Is this a user namespace in which there is nobody but us?"
  []
  (let [[line & more] (str/split-lines (Files/readString (path "/proc/self/uid_map")))]
    (and (nil? more) (= "1" (last (str/split (str/trim line) #"\s+"))))))

(defn- user
  "Whom the services run as: nil where there is no choice."
  [java]
  (cond (one-user?)                        nil
        (and (Users/byName "nobody")
             (others-reach? java PosixFilePermission/OTHERS_EXECUTE)) "nobody"
        :else                              "root"))

(defn- program-reached?
  "Can any user run this program, as the zone's own user has to?"
  [java]
  (let [read PosixFilePermission/OTHERS_READ]
    (every? #(others-reach? % read)
            [java (System/getProperty "ontap.launcher")
             (first (str/split (System/getProperty "java.class.path") #":"))])))

(defn- zone-user
  "Whom the zone has to be told to run as: nil where it finds somebody itself."
  [java]
  (when-not (or (one-user?)
                (and (some #(Users/byName %) ["ontap" "nobody"]) (program-reached? java)))
    "root"))

;; --- the declarations

(def domain "What the names of the services end in (RFC 8375)." "home.arpa")

(defn declarations
  "The file of three services and a zone, as a person would write it. `type` is that of the links,
  `java` the executable of the services."
  [{:keys [dir type java]}]
  (let [user    (user java)
        service (fn [name network & more]
                  (str "{:name " (pr-str name) " :port " (pr-str lan/port) " :type " (pr-str type)
                       network "\n   "
                       (when user (str ":user " (pr-str user) " "))
                       ":caps \"+net_bind_service\" :dir " (pr-str (str dir)) "\n   "
                       ":exec [\"sh\" \"page\" \"80\"] :ready {:fd 3}" (apply str more) "}"))
        zone    (zone-user java)]
    (str "{:services\n ["
         (str/join "\n  "
                   [(service "db" " :ipv4 \"10.77.0.12/24\" :acd false :ipv6 \"fd00:77::12/64\"")
                    (service "www" " :ipv4 \"10.77.0.11/24\" :acd false" "\n   :requires [\"db\"]")
                    (service "wiki" " :ipv4 :none")])
         "]\n :zone {:domain " (pr-str domain) " :listen [\"[::]:53\" \"0.0.0.0:53\"]"
         (when zone (str " :user " (pr-str zone))) "}}\n")))
