// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Signals sent to this process, as a descriptor that becomes readable and names to take from the queue. The JVM's own
 * handler thread puts them there: HotSpot leaves signals unblocked on its threads, so a signalfd would lose some.
 */
public final class SignalQueue implements AutoCloseable {
    private final EventFd event = EventFd.create();
    private final Queue<String> names = new ConcurrentLinkedQueue<>();
    /** Pairs of a signal and the handler it had before. */
    private final List<Object> before = new ArrayList<>();
    private boolean closed;

    SignalQueue(final String... wanted) {
        try {
            for (final String name : wanted) {
                final Object signal = Jvm.signal(name);
                before.add(signal);
                before.add(Jvm.handle(signal, Jvm.handler(new Runnable() {
                    @Override
                    public void run() {
                        arrived(name);
                    }
                })));
            }
        } catch (final RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Readable when a signal has come. */
    public Fd fd() {
        return event.fd();
    }

    /** The next signal's name as it was given to {@link Signals#on}, in order of arrival; null when there is none. */
    public String poll() {
        final String name = names.poll();
        if (name != null) {
            return name;
        }
        // A signal is put into the queue before the descriptor is raised, so one that comes now is seen or wakes.
        event.drain();
        return names.poll();
    }

    /** Gives the signals back to whoever had them before. */
    @Override
    public void close() {
        for (int i = 0; i + 1 < before.size(); i += 2) {
            Jvm.handle(before.get(i), before.get(i + 1));
        }
        before.clear();
        synchronized (this) {
            closed = true;
            event.close();
        }
    }

    private synchronized void arrived(final String name) {
        if (!closed) {
            names.add(name);
            event.signal();
        }
    }

    /**
     * sun.misc.Signal of the exported module jdk.unsupported, by reflection: no javac option shared by JDK 17 and 25
     * silences the warning that naming it in the source gives.
     */
    private static final class Jvm {
        private static final Class<?> SIGNAL;
        private static final Class<?> HANDLER;
        private static final Method HANDLE;

        static {
            try {
                SIGNAL = Class.forName("sun.misc.Signal");
                HANDLER = Class.forName("sun.misc.SignalHandler");
                HANDLE = SIGNAL.getMethod("handle", SIGNAL, HANDLER);
            } catch (final ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        private Jvm() {
        }

        static Object signal(final String name) {
            try {
                return SIGNAL.getConstructor(String.class).newInstance(name);
            } catch (final InvocationTargetException e) {
                throw failure(name, e.getCause());
            } catch (final ReflectiveOperationException e) {
                throw failure(name, e);
            }
        }

        static Object handle(final Object signal, final Object handler) {
            try {
                return HANDLE.invoke(null, signal, handler);
            } catch (final InvocationTargetException e) {
                throw failure(signal.toString(), e.getCause());
            } catch (final ReflectiveOperationException e) {
                throw failure(signal.toString(), e);
            }
        }

        static Object handler(final Runnable arrived) {
            return Proxy.newProxyInstance(Jvm.class.getClassLoader(), new Class<?>[] {HANDLER},
                    (proxy, method, arguments) -> switch (method.getName()) {
                        case "handle" -> {
                            arrived.run();
                            yield null;
                        }
                        case "equals" -> proxy == arguments[0];
                        case "hashCode" -> System.identityHashCode(proxy);
                        default -> "ontap signal handler";
                    });
        }

        private static IllegalArgumentException failure(final String signal, final Throwable cause) {
            return new IllegalArgumentException("unable to take signal " + signal + ": " + cause.getMessage(), cause);
        }
    }
}
