;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.help
  "Help, from the table. Pure."
  (:require [clojure.string :as str]
            [clojure.tools.cli :as tools-cli]
            [ontap.cli.table :as table]))

(defn- pad [s width] (str s (apply str (repeat (- width (count s)) " "))))

(defn wrap
  "`text` in lines of at most `width` characters, each after `indent` blanks."
  [text width indent]
  (let [room (- width indent)
        lines (reduce (fn [lines word]
                        (let [line (peek lines)]
                          (if (and (seq line) (<= (+ (count line) 1 (count word)) room))
                            (conj (pop lines) (str line " " word))
                            (conj (if (seq line) lines []) word))))
                      [""]
                      (str/split text #" "))]
    (str/join "\n" (map #(str (apply str (repeat indent " ")) %) lines))))

(defn- rows [pairs indent]
  (let [width (apply max (map (comp count str first) pairs))]
    (str/join "\n" (map (fn [[k v]]
                          (str (apply str (repeat indent " ")) (pad (str k) width) "  "
                               (str/triml (wrap v 78 (+ indent width 2)))))
                        pairs))))

(defn usage
  "One command and its arguments, on one line."
  [{:keys [name args options] more :rest}]
  (str/trimr (str "ontap " name (when (seq options) " [OPTIONS]") " " args (when more (str " -- " more)))))

(defn command
  "The help of one command."
  [{:keys [doc about options] :as c}]
  (str "Usage: " (usage c) "\n\n"
       (wrap (str doc ".") 78 0) "\n"
       (apply str (map #(str "\n" (wrap % 78 0) "\n") about))
       "\nOptions:\n"
       (:summary (tools-cli/parse-opts [] (conj (vec options) table/help-option)))))

(def short-usage
  "What somebody is told who named no command."
  "usage: ontap COMMAND [ARGUMENTS]; `ontap --help` lists the commands")

(def top
  "The help of the whole."
  (str "Every service gets an address and a name of its own.\n\n"
       "Usage: ontap COMMAND [ARGUMENTS]\n\n"
       "Commands:\n"
       (rows (map (juxt :name :doc) table/commands) 2)
       "\n\nOptions:\n"
       (rows [["-h, --help" "Show this, or after a command its help"]
              ["--version" "Show the version"]] 2)
       "\n\nFILE holds declarations in EDN; README.md (\"A service\") has every key.\n"
       "\nExit status:\n"
       (rows table/exit-codes 2)
       "\n\nEnvironment:\n"
       (rows [["ONTAP_RUNTIME_DIR" "run-time state; else /run/ontap for root, $XDG_RUNTIME_DIR/ontap for others"]
              ["ONTAP_DAEMON_DIR" "the sockets of ontapd; else ONTAP_RUNTIME_DIR, else /run/ontap"]
              ["ONTAP_STATE_DIR" "the host key; else /var/lib/ontap for root, ~/.local/state/ontap for others"]
              ["ONTAP_DEBUG" "set it to see the stack trace of a bug"]
              ["ONTAP_NETLINK_DEBUG" "set it to 1 to see netlink messages, decoded"]] 2)))
