// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;

/**
 * Binds the native methods of a class to the C library the JVM itself is linked against: nothing is searched for or
 * loaded.
 */
final class Binding {
    private static final String SEARCH_PATH = "jna.platform.library.path";
    private static final String ENCODING = "jna.encoding";

    static {
        // Unset, JNA runs ldconfig to learn where libraries are; none is ever searched for here.
        if (System.getProperty(SEARCH_PATH) == null) {
            System.setProperty(SEARCH_PATH, "");
        }
        // File names are bytes; without this they would be ASCII under LANG=C on JDK 17.
        if (System.getProperty(ENCODING) == null) {
            System.setProperty(ENCODING, "UTF-8");
        }
    }

    private Binding() {
    }

    /**
     * Binds every native method of the class. One class at a time, since all share one NativeLibrary; that is closed
     * again because an open one keeps JNA's cleaner thread alive, which wakes every 30 s. Addresses stay valid: libc
     * is never unloaded.
     */
    static synchronized void register(final Class<?> methods) {
        final NativeLibrary process = NativeLibrary.getProcess();
        Native.register(methods, process);
        process.close();
    }
}
