// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@ExtendWith(FdLeaks.class)
final class InotifyTest {
    @TempDir
    private Path folder;

    @Test
    void tellsWritingAndRenaming() throws IOException {
        try (Inotify inotify = new Inotify()) {
            final int mask = Inotify.IN_CREATE | Inotify.IN_MODIFY | Inotify.IN_CLOSE_WRITE | Inotify.IN_MOVED_FROM
                    | Inotify.IN_MOVED_TO | Inotify.IN_DELETE;
            final int wd = inotify.watch(folder.toString(), mask);
            assertTrue(inotify.read().isEmpty(), "nothing has happened yet");
            assertEquals(0, Io.await(inotify.fd(), Io.POLLIN, 0), "nor is there anything to read");
            Files.writeString(folder.resolve("a"), "x");
            // Java cannot name this file under LANG=C.
            Io.rename(folder + "/a", folder + "/b\u00e9");
            Files.createDirectory(folder.resolve("d"));
            Io.unlink(folder + "/b\u00e9");
            assertEquals(Io.POLLIN, Io.await(inotify.fd(), Io.POLLIN, -1), "there is something to read");
            assertEquals(List.of(
                    new Inotify.Event(wd, Inotify.IN_CREATE, "a"),
                    new Inotify.Event(wd, Inotify.IN_MODIFY, "a"),
                    new Inotify.Event(wd, Inotify.IN_CLOSE_WRITE, "a"),
                    new Inotify.Event(wd, Inotify.IN_MOVED_FROM, "a"),
                    new Inotify.Event(wd, Inotify.IN_MOVED_TO, "b\u00e9"),
                    new Inotify.Event(wd, Inotify.IN_CREATE | Inotify.IN_ISDIR, "d"),
                    new Inotify.Event(wd, Inotify.IN_DELETE, "b\u00e9")), inotify.read(),
                    "each step should be told, in order");
            assertTrue(inotify.read().isEmpty(), "that was all");
        }
    }

    @Test
    void tellsAppendingToAFile() throws IOException {
        final Path file = Files.createFile(folder.resolve("log"));
        try (Inotify inotify = new Inotify()) {
            final int wd = inotify.watch(file.toString(), Inotify.IN_MODIFY);
            assertEquals(wd, inotify.watch(file.toString(), Inotify.IN_MODIFY), "one path has one number");
            Files.writeString(file, "line\n", StandardOpenOption.APPEND);
            assertEquals(List.of(new Inotify.Event(wd, Inotify.IN_MODIFY, "")), inotify.read(),
                    "the file itself has no name");
        }
    }

    @Test
    void tellsThatTheWatchedThingIsGone() throws IOException {
        final Path file = Files.createFile(folder.resolve("f"));
        try (Inotify inotify = new Inotify()) {
            final int wd = inotify.watch(file.toString(), Inotify.IN_DELETE_SELF);
            Files.delete(file);
            assertEquals(List.of(
                    new Inotify.Event(wd, Inotify.IN_DELETE_SELF, ""),
                    new Inotify.Event(wd, Inotify.IN_IGNORED, "")), inotify.read(), "deletion ends the watch");
            inotify.unwatch(wd);
        }
    }

    @Test
    void unwatchEndsIt() throws IOException {
        try (Inotify inotify = new Inotify()) {
            final int wd = inotify.watch(folder.toString(), Inotify.IN_CREATE);
            inotify.unwatch(wd);
            inotify.unwatch(wd);
            Files.createFile(folder.resolve("f"));
            assertEquals(List.of(new Inotify.Event(wd, Inotify.IN_IGNORED, "")), inotify.read(),
                    "only the end is told");
        }
    }

    @Test
    void moreThanOneBufferFull() throws IOException {
        try (Inotify inotify = new Inotify()) {
            inotify.watch(folder.toString(), Inotify.IN_CREATE);
            final int files = 1_000;
            for (int i = 0; i < files; i++) {
                Files.createFile(folder.resolve("file-with-a-rather-long-name-" + i));
            }
            final List<String> names = new ArrayList<>();
            List<Inotify.Event> events = inotify.read();
            while (!events.isEmpty()) {
                events.forEach(event -> names.add(event.name()));
                events = inotify.read();
            }
            assertEquals(files, names.size(), "each file should be told once");
            assertEquals("file-with-a-rather-long-name-999", names.get(files - 1), "in order");
        }
    }

    @Test
    void refusesWhatIsNotThere() {
        try (Inotify inotify = new Inotify()) {
            final String absent = folder.resolve("absent").toString();
            final SysException e =
                    assertThrows(SysException.class, () -> inotify.watch(absent, Inotify.IN_MODIFY));
            assertEquals("ENOENT", e.errnoName(), "there is nothing to watch");
        }
    }
}
