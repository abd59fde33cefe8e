;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.table
  "The one table of commands: help, errors and the running of each come from it.

  A command: :name, :args (as shown after the name), :doc (one sentence), :about
  (paragraphs, optional), :options (of clojure.tools.cli), :arity [least most], :rest
  (what stands after \"--\", for those that run a program), :run
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

(def ^:private verbosity-option
  [nil "--verbosity LEVEL" "debug, info (else), warning or error"
   :validate [#{"debug" "info" "warning" "error"} "should be debug, info, warning or error"]])

(def ^:private view-option
  [nil "--view VIEW" "private, on-link or foreign: for whom"
   :validate [#{"private" "on-link" "foreign"} "should be private, on-link or foreign"]])

(def ^:private link-option
  ["-l" "--link LINK" "Only on this one; may be said again"
   :multi true :update-fn (fnil conj [])])

(defn- timeout-option [seconds]
  [nil "--timeout SECONDS" (str "How long to wait; else " seconds)
   :default (parse-double seconds) :default-desc "" :parse-fn parse-double
   :validate [#(and % (< 0 % 86400)) "should be a number of seconds"]])

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
    :about ["FILE is for `ontap up`, or, with :ports and without :services, for ontapd."]
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
   {:name "attach" :args "PORT" :arity [1 1] :rest "PROG ARGS…"
    :doc "Take a link of PORT from ontapd and become PROG with it; `ontap -t …` is the same"
    :about ["PORT is the name of a port, or the path of its socket. For ipvlan and macvlan PROG has a network namespace of its own, with the link in it; its IPv6 address is usable a second or two later, its IPv4 address, from DHCP if nothing else is said, some seconds later: 4 to 7 of them are the check for conflicts, which --no-acd leaves out. For ipvtap, macvtap and tap (for VMs) it has descriptors. Options may stand on both sides of PORT."
            "PROG finds ONTAP_IFNAME, ONTAP_HWADDR and ONTAP_MTU in its environment, for the types of VMs ONTAP_FD0 and so on, a descriptor for each queue, and ONTAP_LEASE_FD where the link ends with the last copy of that descriptor."]
    :options [["-t" "--type TYPE" "ipvlan, ipvtap, macvlan, macvtap or tap"]
              ["-m" "--queues N" "Queues, a descriptor for each; else 1" :parse-fn parse-long
               :validate [#(and % (<= 1 % 64)) "should be a number from 1 to 64"]]
              [nil "--name NAME" "The link's name, for stable addresses too"]
              [nil "--link NAME" "What the link is called inside; else eth0"]
              [nil "--mode MODE" "l2, l3 or l3s; bridge, private or vepa"]
              [nil "--ipv4 IPV4" "dhcp (else), none, or an address: 10.0.0.5/24"]
              [nil "--gateway ADDRESS" "The default route, with an address in --ipv4"]
              [nil "--no-acd" "Look for no conflict about the IPv4 address"]
              [nil "--netns NETNS" "A namespace: a path, or a name of /run/netns"]
              [nil "--keep" "The link outlives PROG, until `ontap release`"]
              verbosity-option]
    :run 'ontap.cli.lend/attach}
   {:name "daemon" :args "[PORT…]" :arity [0 nil]
    :doc "Hand out links on ports, as `ontapd` does"
    :about ["For each port there is a socket, /run/ontap/port.PORT. Without a configuration the members of its group (kvm, where there is one) may take ipvtap, macvtap and tap, and ipvlan into namespaces of their own, 16 each. SIGHUP reads the configuration again; SIGTERM ends the daemon, and links live on."
            "It gives up all capabilities but those it needs; README.md (\"ontapd\") lists them."]
    :options [["-c" "--config FILE" "The ports and who may have what, in EDN"]
              [nil "--ready-fd N" "Write a newline there when ready" :parse-fn parse-long
               :validate [#(and % (<= 1 % 1023)) "should be the number of a descriptor"]]
              [nil "--pid-file FILE" "Write the pid there when ready"]
              verbosity-option]
    :run 'ontap.cli.lend/daemon}
   {:name "leases" :args "[PORT]" :arity [0 1]
    :doc "Show the links that ontapd has handed out to you (for root: all), and those of your `ontap up`"
    :about ["ADDRESSES are those of the link, or of the guest behind it; DHCP says how far the IPv4 address is (static: none is asked for), SERVER who gave it, LEFT how long the DHCP lease still is."
            "--format edn has more: hardware addresses, since when, what is wrong."]
    :options [format-option] :run 'ontap.cli.lend/leases}
   {:name "release" :args "ID" :arity [1 1]
    :doc "End a lease of ontapd; return once its link is gone"
    :options [] :run 'ontap.cli.lend/release}
   {:name "zone" :args "[FILE]" :arity [0 1]
    :doc "Give every address a name: answer DNS, write tinydns data"
    :about ["Follows the addresses of all links in all network namespaces, and answers for them: NAME.wan.DOMAIN global addresses, NAME.lan.DOMAIN private ones, NAME.DOMAIN whichever suits the asker, NAME.local link-local ones; with --mdns it tells whoever asks LINK for NAME.local all that are good there. A link's name is its alias."
            "ADDRESS:PORT is [::]:53 or 0.0.0.0:53, say. LINK is one of this machine's own on the LAN, such as the host-link of ontapd; not the port that others stand on, whom what is sent there does not reach. --all-namespaces follows all of /run/netns, and of any process there is at the start."
            "Takes its sockets as root, and then runs as a user of its own (ontap, where there is one, else nobody) with CAP_NET_ADMIN and CAP_NET_BROADCAST. FILE has a :zone; without one, --domain and --listen say enough."]
    :options [["-d" "--domain DOMAIN" "The domain that the names are in"]
              ["-l" "--listen ADDRESS:PORT" "Answer DNS there; may be said again"
               :multi true :update-fn (fnil conj [])]
              [nil "--mdns LINK" "Answer NAME.local there; may be said again"
               :multi true :update-fn (fnil conj [])]
              ["-a" "--all-namespaces" "Also namespaces without a link of ours"]
              [nil "--name-from WHAT" "alias (else) or link: what names a link"
               :validate [#{"alias" "link"} "should be alias or link"]]
              [nil "--tinydns FILE" "Write the data of tinydns at each change"]
              [nil "--dialect DIALECT" "of tinydns: stock (else), fefe, curve6"
               :validate [#{"stock" "fefe" "curve6"} "should be stock, fefe or curve6"]]
              [nil "--once" "Print the names there are now, and end"]
              [nil "--format FORMAT" "of --once: tinydns, hosts, zone, edn, json" :default "tinydns" :default-desc "tinydns"
               :validate [#{"tinydns" "hosts" "zone" "edn" "json"} "should be tinydns, hosts, zone, edn or json"]]
              view-option
              [nil "--user USER" "Run as USER"]
              [nil "--ready-fd N" "Write a newline there when ready" :parse-fn parse-long
               :validate [#(and % (<= 1 % 1023)) "should be the number of a descriptor"]]
              [nil "--pid-file FILE" "Write the pid there when ready"]
              [nil "--life-fd N" "Let nobody take over until it hangs up" :parse-fn parse-long
               :validate [#(and % (<= 3 % 1023)) "should be the number of a descriptor"]]]
    :run 'ontap.cli.zone/zone}
   {:name "names" :args "[NAME…]" :arity [0 nil]
    :doc "Show the names of the running `ontap zone`: addresses, kind, namespace, since when"
    :about ["--view shows what one kind of asker is told: private (of the LAN), on-link (a global address on one of our prefixes) or foreign."]
    :options [["-w" "--watch" "Go on, and show what changes"] view-option format-option]
    :run 'ontap.cli.zone/names}
   {:name "explain" :args "NAME" :arity [1 1]
    :doc "Say why NAME has the addresses it has, or has none"
    :options [format-option] :run 'ontap.cli.zone/explain}
   {:name "resolve" :args "NAME" :arity [1 1]
    :doc "Ask the links for NAME.local, or for the name of an address, by multicast DNS"
    :about ["A link-local IPv6 address is shown with its link (fe80::1%eth0). Exits with 1 when nobody answers."]
    :options [link-option (timeout-option "3") format-option]
    :run 'ontap.cli.mdns/resolve-name}
   {:name "browse" :args "[TYPE]" :arity [0 1]
    :doc "Show the services that are offered on the links, by DNS-SD"
    :about ["TYPE is such as _http._tcp; without it all there are."]
    :options [link-option (timeout-option "3")
              ["-w" "--watch" "Go on, and show what comes and goes"] format-option]
    :run 'ontap.cli.mdns/browse}
   {:name "mdns-proxy" :args "" :arity [0 0]
    :doc "Tell who asks a link for NAME.local what a DNS server says of NAME.DOMAIN"
    :about ["A stop-gap for names that something else than `ontap zone` serves: nothing is probed for or announced, so a name that another host has as well is not noticed. `ontap zone --mdns LINK` does all of it."]
    :options [["-t" "--to ADDRESS:PORT" "The DNS server, such as [::1]:53"]
              ["-d" "--domain DOMAIN" "The domain that it knows the names in"]
              link-option
              [nil "--ready-fd N" "Write a newline there when ready" :parse-fn parse-long
               :validate [#(and % (<= 1 % 1023)) "should be the number of a descriptor"]]
              [nil "--pid-file FILE" "Write the pid there when ready"]]
    :run 'ontap.cli.mdns/mdns-proxy}
   {:name "demo" :args "" :arity [0 0]
    :doc "Show all of it on a LAN of its own, touching nothing of the machine"
    :options [] :run 'ontap.cli.run/demo}])

(def command-names "Their names, in the same order." (mapv :name commands))

(defn command
  "The command called `name`, or nil."
  [name]
  (some #(when (= name (:name %)) %) commands))
