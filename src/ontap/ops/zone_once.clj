;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-once
  "`ontap zone --once`: the names there are now, as one text."
  (:require [ontap.kernel.census :as census]
            [ontap.kernel.namespaces :as namespaces]
            [ontap.model.river :as river]
            [ontap.ops.lease-names :as lease-names]
            [ontap.ops.process :as process]
            [ontap.ops.zone :as zone]
            [ontap.ops.zone-files :as zone-files]
            [ontap.publish.formats :as formats])
  (:import (ontap.rtnl Rtnl)))

(set! *warn-on-reflection* true)

(defn- now
  "The river after one look at everything."
  [zone env]
  (with-open [monitor (process/open-monitor "unable to look into network namespaces: this takes root; an ordinary user can have a network of their own: unshare -Urn ontap zone --once …")
              rtnl    (Rtnl/open)]
    (let [known  (namespaces/find-all! {:all? (:zone/all-namespaces? zone)})
          census (census/census {:monitor monitor :rtnl rtnl :all? (:zone/all-namespaces? zone) :known known})
          names  (lease-names/now env)]
      (river/step (river/river zone nil) (conj (vec (census/start census)) names) (zone/times)))))

(defn text!
  "The names of `zone` in `format` (:tinydns, with a `dialect`, :hosts, :zone, :edn or :json; `view`
  as of `ontap.publish.formats`). Blocks for the kernel. Throws with :kind :exit without the right."
  [zone {:keys [format dialect view env]}]
  (let [{:keys [river askers]} (now zone env)]
    (formats/text {:publish/format format :publish/dialect dialect :publish/view view}
                  (zone-files/facts river askers (:zone/domain zone)))))
