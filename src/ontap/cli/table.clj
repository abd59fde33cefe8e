;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.table
  "The one table of commands: help, errors and the running of each come from it.

  A command: :name, :args (as shown after the name), :doc (one sentence), :about
  (paragraphs, optional), :options (of clojure.tools.cli), :arity [least most], :run
  (a symbol: a function of {:options :arguments :env} that returns an exit status).
  Namespaces are loaded when they are run, so that one command does not pay for
  another.")

(def exit-codes
  "status -> what it means, for the help."
  [[0   "well"]
   [1   "the answer is no"]
   [100 "wrong usage"]
   [101 "a bug of ontap"]
   [102 "a mistake in a declaration"]
   [111 "the system refused"]
   [126 "the program of a service is not executable"]
   [127 "the program of a service was not found"]])

(def help-option
  "The option that every command has."
  ["-h" "--help" "Show this"])

(def ^:private format-option
  ["-f" "--format FORMAT" "text (for a person) or edn (for a program)"
   :default "text" :default-desc "text"
   :validate [#{"text" "edn"} "should be text or edn"]])

(def commands
  "Every command, in the order of the help."
  [{:name "up" :args "FILE" :arity [1 1]
    :doc "Run every declared service, supervised, in the foreground"
    :about ["Each service runs in a network and hostname namespace of its own, on a link of the port it names, as its own user. SIGTERM stops all, in order, and exits 0; SIGHUP reads FILE again (see reload)."
            "Workloads do not end with their supervisor: after a crash the next `ontap up` takes them up again."
            "The firewall of the host does not filter a service that has a network namespace of its own."]
    :options [] :run 'ontap.cli.run/up}
   {:name "exec" :args "FILE NAME" :arity [2 2]
    :doc "Become the one service NAME: same pid, no JVM left"
    :about ["For a supervisor that is there already: Shepherd, systemd, s6. Standard output and error stay as they are; `:restart`, `:stop`, `:requires` and `:log` are the supervisor's business and are not looked at."
            "In a namespace that is shared (`:netns` NAME or :host) the link stays when the workload has ended; the next start replaces it."]
    :options [] :run 'ontap.cli.run/exec}
   {:name "check" :args "FILE" :arity [1 1]
    :doc "Show what would be made, or every mistake of FILE; nothing is done"
    :options [format-option] :run 'ontap.cli.run/check}
   {:name "status" :args "[NAME…]" :arity [0 nil]
    :doc "Show the services of the running `ontap up`: state, since when, pid, user, link, addresses"
    :options [format-option] :run 'ontap.cli.run/status}
   {:name "start" :args "NAME…" :arity [1 nil]
    :doc "Start services and what they require; return once they are ready"
    :options [] :run 'ontap.cli.run/start}
   {:name "stop" :args "NAME…" :arity [1 nil]
    :doc "Stop services, after those that require them; return once they are down"
    :options [] :run 'ontap.cli.run/stop}
   {:name "restart" :args "NAME…" :arity [1 nil]
    :doc "Stop and start services, and them alone; return once they are ready"
    :options [] :run 'ontap.cli.run/restart}
   {:name "reload" :args "" :arity [0 0]
    :doc "Read the file again: stop what is gone or changed, start what is new"
    :about ["The file is checked first; one with mistakes changes nothing. SIGHUP does the same."]
    :options [] :run 'ontap.cli.run/reload}
   {:name "logs" :args "NAME" :arity [1 1]
    :doc "Show the log of a service"
    :options [["-f" "--follow" "Go on with what is written, until interrupted"]
              ["-n" "--lines N" "Only the last N lines"
               :parse-fn parse-long :validate [#(and % (not (neg? %))) "should be a number, 0 or more"]]]
    :run 'ontap.cli.run/logs}
   {:name "demo" :args "" :arity [0 0]
    :doc "Show all of it on a LAN of its own, touching nothing of the machine"
    :options [] :run 'ontap.cli.run/demo}])

(def command-names "Their names, in the same order." (mapv :name commands))

(defn command
  "The command called `name`, or nil."
  [name]
  (some #(when (= name (:name %)) %) commands))
