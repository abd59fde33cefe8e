;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.rate
  "How often one user may ask: a bucket of tokens for each uid. Pure; the time is an argument.

  Buckets are {:swept ms :by-uid {uid {:left milli-tokens :at ms}}}, nil when nobody has asked yet. One that is full again is
  the same as none and is forgotten, so that as many are kept as uids have asked in the last seconds."
  (:require [ontap.model.policy :as policy]))

(set! *warn-on-reflection* true)

(def per-second "Requests of one uid a second, in the long run." 50)

(def burst "Requests of one uid at once." 200)

(def ^:private full (* 1000 burst))
(def ^:private full-after-ms "An empty bucket is full again after this." (quot full per-second))

(defn- filled
  "What is in a bucket at `now`. A clock that goes back adds nothing."
  [{:keys [left at] :or {left full at 0}} now]
  ;; per-second tokens in 1000 ms are per-second milli-tokens in 1 ms
  (min full (+ left (* per-second (min full-after-ms (max 0 (- now at)))))))

(defn- sweep [{:keys [swept by-uid] :as buckets} now]
  (if (< -1 (- now (or swept now)) full-after-ms)
    (update buckets :swept #(or % now))
    {:swept now :by-uid (into {} (remove (fn [[_ b]] (= full (filled b now)))) by-uid)}))

(defn spend
  "One request of `uid` at `now-ms`: {:buckets buckets' :ok? may-it-be-answered}. A refused request takes nothing.
  Root (0) is not counted."
  [buckets uid now-ms]
  (if (= 0 uid)
    {:buckets buckets :ok? true}
    (let [buckets (sweep buckets now-ms)
          left (filled (get-in buckets [:by-uid uid]) now-ms)
          ok? (<= 1000 left)]
      {:buckets (assoc-in buckets [:by-uid uid] {:left (if ok? (- left 1000) left) :at now-ms})
       :ok? ok?})))

(defn refusal
  "The refusal of a request that came too soon."
  [peer]
  {:refusal/rule :rate
   :refusal/says (str (policy/who peer) " asks more than " per-second " times a second; ask again in a moment")
   :refusal/wait? true})
