// SPDX-License-Identifier: Apache-2.0
/** Programs that benchmarks compare with. */
package ontap.bench;
