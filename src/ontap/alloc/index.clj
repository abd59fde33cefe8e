;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.index
  "A map from [port ip] to the set of links that it is about. Pure.")

(defn- without [index at key]
  (let [left (disj (get index at #{}) key)]
    (if (empty? left) (dissoc index at) (assoc index at left))))

(defn moved
  "`index` after the addresses of `key` on `port` are `after` instead of `before`, both sets."
  [index port key before after]
  (as-> index index
    (reduce #(without %1 [port %2] key) index (remove after before))
    (reduce #(update %1 [port %2] (fnil conj #{}) key) index (remove before after))))
