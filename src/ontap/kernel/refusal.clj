;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.refusal
  "What this machine will not do, as an exception with a sentence for a person.")

(defn refused
  "An exception: :reason ::refused, :rule (a rule of doc/protocol.md), and `more`;
  :wait? true where asking later may work."
  [rule text & {:as more}]
  (ex-info text (merge {:reason ::refused :rule rule} more)))
