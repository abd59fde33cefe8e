// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Fails a test that leaves descriptors open. */
final class FdLeaks implements BeforeEachCallback, AfterEachCallback {
    private static final ExtensionContext.Namespace HERE = ExtensionContext.Namespace.create(FdLeaks.class);

    @Override
    public void beforeEach(final ExtensionContext context) {
        context.getStore(HERE).put("open", Fd.open());
    }

    @Override
    public void afterEach(final ExtensionContext context) {
        final List<?> before = context.getStore(HERE).get("open", List.class);
        assertEquals(sorted(before), sorted(Fd.open()), "the test should close every descriptor it opened");
    }

    private static TreeSet<String> sorted(final List<?> lines) {
        final TreeSet<String> sorted = new TreeSet<>();
        for (final Object line : lines) {
            sorted.add(line.toString());
        }
        return sorted;
    }
}
