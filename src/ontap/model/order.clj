;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.order
  "The order of starting: topological levels of :requires, and the cycles that forbid one.
  Pure; works on names and a map name -> required names, knows nothing else of a service. No recursion, so long chains are fine.")

(defn- peel
  "Takes levels off `names` until what is left is blocked: [levels left]. A requirement outside `names` does not block."
  [names requires]
  (loop [levels [], left (vec names)]
    (let [waiting (set left)
          free (filterv (fn [n] (not-any? waiting (requires n))) left)]
      (if (empty? free)
        [levels left]
        (recur (conj levels free) (filterv (complement (set free)) left))))))

(defn- one-cycle
  "A cycle among `left` (names that all still wait for one of themselves), as [a b a]: a requires b, b requires a."
  [left requires]
  (let [waiting (set left)]
    (loop [path [(first left)], seen {(first left) 0}]
      (let [n (some waiting (requires (peek path)))]
        (if-let [i (seen n)]
          (conj (subvec path i) n)
          (recur (conj path n) (assoc seen n (count path))))))))

(defn- from-first
  "The cycle turned so that it begins with the name that comes first in `names`."
  [names cycle]
  (let [ring (set cycle)
        head (some ring names)
        [before after] (split-with #(not= head %) (pop cycle))]
    (conj (into (vec after) before) head)))

(defn levels
  "{:levels [[name ...] ...]}: each level requires only names of earlier ones, in the order of `names` within a level;
  or {:cycles [[a b a] ...]}: disjoint cycles that, once broken, leave none. Names required but not in `names` are ignored."
  [names requires]
  (loop [names (vec (distinct names)), cycles []]
    (let [[levels left] (peel names requires)]
      (cond (seq left) (let [c (from-first names (one-cycle left requires))]
                         (recur (filterv (complement (set c)) left) (conj cycles c)))
            (seq cycles) {:cycles cycles}
            :else {:levels levels}))))

(defn start-order
  "The services (normalised) in an order in which each comes after all it requires. Those of a cycle come last, as given."
  [services]
  (let [by-name (into {} (map (juxt :service/name identity)) services)
        requires (into {} (map (juxt :service/name :service/requires)) services)
        [done left] (peel (map :service/name services) requires)]
    (mapv by-name (concat (apply concat done) left))))
