;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-states
  "The states of a link's IPv4 address, apart from the machine that goes through them
  (`ontap.model.lease`): whoever shows one needs no more. Pure.")

(def states
  "Every state, with what it means for a person."
  (array-map
   :init       "is about to ask"
   :selecting  "waits for an offer"
   :requesting "waits for the server whose offer it took"
   :rebooting  "asks whether the address it had is still its own"
   :probing    "looks whether anybody else has the address"
   :applying   "its address is being set"
   :bound      "has its address"
   :renewing   "has its address, asks its server for more time"
   :rebinding  "has its address, asks any server for more time"
   :conflicted "pauses, for another host has the address"
   :refused    "pauses, for another link has the address"
   :gone       "its link is gone"
   :stopped    "was told to stop"))
