;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.netns
  "Network namespaces of a test's own, each kept by a process, and looked at by ip(8)."
  (:require [clojure.string :as str]
            [ontap.kernel.links :as links]
            [ontap.testing :as testing])
  (:import (java.lang ProcessBuilder$Redirect)
           (java.util.concurrent Callable TimeUnit)
           (ontap.rtnl Rtnl)
           (ontap.sys Fd Io Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(defn keep!
  "Starts `words`, after which a shell says so and waits, and gives {:pid :process}: of a process that
  keeps what these words gave it, as unshare(1) does. Blocks until it has."
  [& words]
  (let [process (-> (ProcessBuilder. ^java.util.List (into (mapv str words) ["sh" "-c" "echo $$; read wait"]))
                    (.redirectError ProcessBuilder$Redirect/INHERIT)
                    (.start))]
    (if-let [line (.readLine (.inputReader process))]
      {:process process :pid (parse-long line)}
      (throw (ex-info (str "did not start: " (pr-str words)) {:exit (.waitFor process)})))))

(defn end!
  "Ends a process of `keep!`, and waits for that."
  [{:keys [^Process process]}]
  (.destroyForcibly process)
  (when-not (.waitFor process 20 TimeUnit/SECONDS)
    (throw (ex-info "a process does not end" {:pid (.pid process)}))))

(defn make
  "A network namespace kept by a process: {:pid :process}; without the right to, the test is left."
  []
  (try (NsThread/call "test-right" #(Namespaces/unshare Namespaces/CLONE_NEWNET))
       (catch SysException _ (testing/not-applicable! "making a network namespace needs CAP_SYS_ADMIN")))
  (keep! "unshare" "--net"))

(defmacro with-netns
  "Runs the body with `ns` bound to a fresh network namespace, kept by a process until the end."
  [[ns] & body]
  `(let [~ns (make)] (try ~@body (finally (end! ~ns)))))

(defn in
  "Calls `f` in a thread inside namespace `ns`."
  [{:keys [pid]} f]
  (NsThread/call "test-inside"
                 ^Callable (fn []
                             (with-open [fd (Namespaces/ofProcess (int pid) "net")]
                               (Namespaces/setns fd Namespaces/CLONE_NEWNET))
                             (f))))

(defn ip
  "What ip(8) with `words` prints in the namespace."
  [ns & words]
  (let [{:keys [exit out err]} (in ns #(apply testing/run {} "ip" words))]
    (when-not (= 0 exit)
      (throw (ex-info (str "ip " (str/join " " words) ": " err) {:exit exit})))
    (str/trim out)))

(defn id
  "The identity of the namespace, {:dev :ino}."
  [{:keys [pid]}]
  (with-open [fd (Namespaces/ofProcess (int pid) "net")] (links/ns-id fd)))

(defn place
  "The place of link `link` in the namespace, as `ontap.kernel.ipv4` wants it."
  [{:keys [pid] :as ns} ^String link alias kind]
  {:place/netns (id ns)
   :place/index (in ns #(with-open [rtnl (Rtnl/open)] (.index (.link rtnl link))))
   :place/alias alias
   :place/kind  kind
   :place/pid   pid})
