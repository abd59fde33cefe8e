;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.workload-test
  "What a workload is given: its identity, its environment, the command in front of it."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.model.workload :as workload]))

(def ^:private www {:uid 33 :gid 33 :name "www" :home "/var/www" :shell "/bin/false"})
(def ^:private tools {:prlimit "/bin/prlimit" :setpriv "/bin/setpriv"})

(def ^:private service
  {:service/name "web" :service/user "www" :service/caps ["net_bind_service" "net_raw"]
   :service/env {} :service/limits {} :service/exec ["darkhttpd" "/www" "a b" ""]})

(deftest identities
  (is (= {:identity/uid 33 :identity/gid 33 :identity/groups [33 5] :identity/name "www"
          :identity/home "/var/www" :identity/shell "/bin/false"}
         (workload/identity-of service www [33 5 5]))
      "The user's own group is the first, and none comes twice.")
  (is (= [33] (:identity/groups (workload/identity-of service www []))))
  (is (nil? (:identity/groups (workload/identity-of (assoc service :service/user nil) www [])))
      "Without a declared user the groups stay as they are."))

(deftest environments
  (let [id (workload/identity-of service www [])]
    (is (= {"PATH" workload/default-path "HOME" "/var/www" "USER" "www" "LOGNAME" "www"
            "SHELL" "/bin/false" "ONTAP_NAME" "web"}
           (workload/environment service id {}))
        "Exactly these, and nothing of ours.")
    (let [env (workload/environment (assoc service :service/env {"HOME" "/srv" "LANG" "C"}) id
                                    {:guix? true :extra {"NOTIFY_SOCKET" "/run/n"}})]
      (is (= ["/srv" "C" "/run/n"] (map env ["HOME" "LANG" "NOTIFY_SOCKET"])) "What is declared wins.")
      (is (str/starts-with? (env "PATH") workload/guix-path) "Guix System's own profile comes first."))))

(deftest descriptors-and-what-tells-of-them
  (is (= {:tap [] :lease 3} (workload/descriptors 0 nil) (workload/descriptors nil [])))
  (is (= {:tap [3 4] :lease 5} (workload/descriptors 2 nil)))
  (is (= {:tap [4 5] :lease 6} (workload/descriptors 2 [3])) "A descriptor that was promised keeps its number.")
  (is (= {:tap [3 4] :lease 6} (workload/descriptors 2 #{5})))
  (is (= {"ONTAP_IFNAME" "eth0" "ONTAP_HWADDR" "02:00:00:00:00:01" "ONTAP_MTU" "1500"}
         (workload/link-variables #:lease{:link "eth0" :hwaddr "02:00:00:00:00:01" :mtu 1500} [] nil)))
  (is (= {"ONTAP_IFNAME" "ontap7" "ONTAP_HWADDR" "02:00:00:00:00:01" "ONTAP_MTU" "9000"
          "ONTAP_FD0" "4" "ONTAP_FD1" "5" "ONTAP_LEASE_FD" "6"}
         (workload/link-variables #:lease{:link "ontap7" :hwaddr "02:00:00:00:00:01" :mtu 9000} [4 5] 6))))

(deftest commands
  (let [id   #(workload/identity-of % www [5])
        argv #(workload/argv % (id %) tools)]
    (is (= ["/bin/setpriv" "--reuid=33" "--regid=33" "--groups=33,5"
            "--inh-caps=-all,+net_bind_service,+net_raw"
            "--ambient-caps=-all,+net_bind_service,+net_raw"
            "--bounding-set=-all,+net_bind_service,+net_raw"
            "--no-new-privs" "--" "darkhttpd" "/www" "a b" ""]
           (argv service)))
    (is (= ["/bin/prlimit" "--core=0:unlimited" "--nofile=8:16" "--" "/bin/setpriv"]
           (take 5 (argv (assoc service :service/limits {"nofile" {:soft 8 :hard 16} "core" {:soft 0 :hard -1}}))))
        "Limits come first, while there is the right to raise them.")
    (is (= ["/bin/setpriv" "--inh-caps=-all" "--ambient-caps=-all" "--bounding-set=-all"
            "--no-new-privs" "--" "-x"]
           (argv (assoc service :service/user nil :service/caps [] :service/exec ["-x"])))
        "Without a declared user none is taken, and a program's name is never read as an option.")))
