// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(120)
class IdentityTest {
    private static final List<String> SETS = List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb");
    private static final List<String> IDS = List.of("Uid", "Gid", "Groups", "NoNewPrivs");
    private static final String[] CAT = {"--", "/bin/cat", "/proc/self/status"};

    static Stream<Arguments> identities() {
        return Stream.of(
                Arguments.of("nobody with nothing", 65534, 65534, "", 0L, true),
                Arguments.of("nobody with two capabilities", 65534, 65534, "", bits("net_bind_service", "net_raw"),
                        true),
                Arguments.of("nobody in groups, without no_new_privs", 65534, 65534, "4,20", bits("net_raw"), false),
                Arguments.of("root with nothing", 0, 0, "", 0L, true),
                Arguments.of("root with net_admin", 0, 0, "", bits("net_admin"), false),
                Arguments.of("root with all there is", 0, 0, "", Caps.bounding(), false));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("identities")
    void isWhatSetprivWouldMakeOfIt(final String name, final int uid, final int gid, final String groups,
            final long caps, final boolean noNewPrivs) {
        Privilege.toBecomeOthers();
        final String status = BecomeJvm.output(words(uid, gid, groups, caps, noNewPrivs));
        final String expected = BecomeJvm.run(setpriv(uid, gid, groups, caps, noNewPrivs)).output();
        for (final String set : SETS) {
            assertEquals(String.format("%016x", caps), Child.field(status, set), name + ": " + set + " is wrong.");
            assertEquals(Child.field(expected, set), Child.field(status, set), name + ": setpriv differs in " + set);
        }
        for (final String id : IDS) {
            assertEquals(Child.field(expected, id), Child.field(status, id), name + ": setpriv differs in " + id);
        }
        assertEquals(String.join(" ", groups.split(",")), Child.field(status, "Groups"), name + ": wrong groups.");
    }

    @Test
    void takesItselfInAUserNamespaceOfOneUid() {
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(List.of("unshare", "-Urn"), words(0, 0, "keep",
                bits("net_admin"), true)));
        assumeTrue(!result.errors().contains("unshare failed"), "User namespaces are not to be had.");
        assertEquals(0, result.status(), "One's own uid should be free to take: " + result.errors());
        assertEquals("0000000000001000", Child.field(result.output(), "CapEff"), "Capabilities should be cut down.");
        assertEquals("0 0 0 0", Child.field(result.output(), "Uid"), "It should stay root.");
    }

    @Test
    void saysWhichIdTheUserNamespaceDoesNotMap() {
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(List.of("unshare", "-Urn"), words(0, 7, "keep", 0,
                false)));
        assumeTrue(!result.errors().contains("unshare failed"), "User namespaces are not to be had.");
        assertEquals(3, result.status(), "An id that is not mapped cannot be taken.");
        assertTrue(result.errors().contains("setresgid(7): Invalid argument (EINVAL)"), result.errors());
    }

    @Test
    void namesTheCapabilityThatIsNotHeld() {
        Privilege.toUnshare();
        final SysException e = NsThread.call("bounded", () -> {
            new Identity(Io.geteuid(), Io.getgid(), null, Caps.bounding() & ~bits("net_raw"), false).take();
            final Identity more = new Identity(Io.geteuid(), Io.getgid(), null, bits("net_raw", "net_admin"), false);
            return assertThrows(SysException.class, more::take, "What the bounding set lacks cannot be had.");
        });
        assertEquals("capset(net_raw): Operation not permitted (EPERM)", e.getMessage());
    }

    @Test
    void leavesOtherThreadsAlone() {
        Privilege.toUnshare();
        final Caps.Sets before = Caps.ofThread();
        final Caps.Sets inside = NsThread.call("nobody", () -> {
            new Identity(0, 0, null, bits("net_raw"), true).take();
            return Caps.ofThread();
        });
        final long raw = bits("net_raw");
        assertEquals(new Caps.Sets(raw, raw, raw, raw, raw), inside, "The thread should have what it took.");
        assertEquals(before, Caps.ofThread(), "The caller's thread should keep its capabilities.");
    }

    @Test
    void loadsNoClassOnceTheUidIsAnother() {
        Privilege.toBecomeOthers();
        final List<String> words = new ArrayList<>(List.of(words(65534, 65534, "4", bits("net_raw"), true)));
        words.set(words.indexOf("/bin/cat"), "/no/such/program");
        words.add(0, "count=true");
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(List.of(), words.toArray(new String[0])));
        assertTrue(result.errors().contains("execve(/no/such/program): No such file or directory (ENOENT)"),
                result.errors());
        assertEquals("0", result.output().split("\n")[0], "No class should be loaded after prepare.");
    }

    @Test
    void refusesTheNumberThatIsNobodys() {
        assertThrows(IllegalArgumentException.class, () -> new Identity(-1, 0, null, 0, false),
                "To the kernel -1 means: leave as it is.");
    }

    private static long bits(final String... names) {
        long set = 0;
        for (final String name : names) {
            set |= 1L << Caps.number(name);
        }
        return set;
    }

    private static String[] words(final int uid, final int gid, final String groups, final long caps,
            final boolean noNewPrivs) {
        return Stream.concat(Stream.of("uid=" + uid, "gid=" + gid, "groups=" + groups,
                "caps=0x" + Long.toHexString(caps), "nnp=" + noNewPrivs), Stream.of(CAT)).toArray(String[]::new);
    }

    private static List<String> setpriv(final int uid, final int gid, final String groups, final long caps,
            final boolean noNewPrivs) {
        final StringBuilder names = new StringBuilder("-all");
        for (int number = 0; number <= Caps.last(); number++) {
            if ((caps >>> number & 1) != 0) {
                names.append(",+").append(Caps.name(number));
            }
        }
        final List<String> command = new ArrayList<>(List.of("setpriv", "--reuid=" + uid, "--regid=" + gid,
                groups.isEmpty() ? "--clear-groups" : "--groups=" + groups, "--inh-caps=" + names,
                "--bounding-set=" + names, "--ambient-caps=" + names));
        if (noNewPrivs) {
            command.add("--no-new-privs");
        }
        command.addAll(List.of("/bin/cat", "/proc/self/status"));
        return command;
    }
}
