// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class UsersTest {
    @Test
    void agreesWithGetent() {
        for (final String name : new String[] {"root", "nobody", "daemon"}) {
            final String[] entry = Child.output("/usr/bin/getent", "passwd", name).trim().split(":");
            final Users.User user = new Users.User(name, Integer.parseInt(entry[2]), Integer.parseInt(entry[3]),
                    entry[5], entry[6]);
            assertEquals(user, Users.byName(name), "getent should know the same " + name + ".");
            assertEquals(user, Users.byUid(user.uid()), "The number should lead to the same user.");
            final int[] groups = Users.groups(user);
            Arrays.sort(groups);
            final int[] expected = Arrays.stream(Child.output("/usr/bin/id", "-G", name).trim().split(" "))
                    .mapToInt(Integer::parseInt).sorted().toArray();
            assertArrayEquals(expected, groups, "id should name the same groups for " + name + ".");
        }
    }

    @Test
    void knowsGroupsBothWays() {
        assertEquals(0, Users.gid("root"));
        assertEquals("root", Users.groupName(0));
        final String group = Child.output("/usr/bin/id", "-gn", "nobody").trim();
        assertEquals(Users.byName("nobody").gid(), Users.gid(group), "A user's group should be found by name.");
    }

    @Test
    void nobodyIsNull() {
        assertNull(Users.byName("no-such-user-here"));
        assertNull(Users.byUid(2_000_000_011));
        assertNull(Users.gid("no-such-group-here"));
        assertNull(Users.groupName(2_000_000_011));
        assertThrows(IllegalArgumentException.class, () -> Users.byName("root\0x"), "A NUL would cut the name short.");
    }
}
