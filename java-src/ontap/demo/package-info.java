// SPDX-License-Identifier: Apache-2.0

/**
 * The service that the demonstration runs, three times. It is run by itself, from a copy of its one class file, by a
 * user who may not be able to read anything else of this program: it uses the JDK alone, and nobody here uses it.
 */
package ontap.demo;
