// SPDX-License-Identifier: Apache-2.0
package ontap.testing;

import clojure.java.api.Clojure;
import clojure.lang.IFn;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Shows each {@code deftest} of the Clojure tests as a test of JUnit's. */
final class ClojureTests {

    @TestFactory
    Stream<DynamicTest> deftests() {
        final Options asked = Runner.options();
        // The one place of our Java that calls Clojure; it makes pairs of a test's name and a Callable.
        final IFn tests = (IFn) Clojure.var("clojure.core", "requiring-resolve")
                .invoke(Clojure.read("ontap.testing.discovery/tests"));
        final Predicate<String> wanted = asked::wants;
        final List<?> found = (List<?>) tests.invoke(wanted, asked.patterns(), asked.longOnes(), asked.floor());
        return found.stream().map(Object[].class::cast)
                .map(test -> DynamicTest.dynamicTest((String) test[0], ((Callable<?>) test[1])::call));
    }
}
