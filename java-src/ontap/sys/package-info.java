// SPDX-License-Identifier: Apache-2.0
/**
 * The Linux kernel as seen from user space: descriptors, sockets, event loop, timers, signals, namespaces,
 * credentials, processes. The only package that knows JNA and the C library; it knows no other package of ontap, and
 * every other one may use it.
 *
 * <p>A failed call is a {@link ontap.sys.SysException}. Every descriptor is an {@link ontap.sys.Fd}, opened
 * close-on-exec. Nothing here keeps a thread or a periodic timer.
 */
package ontap.sys;
