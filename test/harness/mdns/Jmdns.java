// SPDX-License-Identifier: Apache-2.0
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import javax.jmdns.JmDNS;
import javax.jmdns.ServiceEvent;
import javax.jmdns.ServiceInfo;
import javax.jmdns.ServiceListener;

/**
 * JmDNS as an mDNS peer of the network namespace that this is started in, on the address ADDRESS. It obeys lines on
 * standard input and answers each by one on standard output, {@code answer JSON}:
 *
 * <pre>
 *   services     what it has found and was not taken back: [{"name" "host" "port" "txt" "addresses"}]
 *   name         the name of its host, and those of its services: ["NAME.local.", "Instance", …]
 * </pre>
 *
 * usage: java -cp JARS Jmdns.java ADDRESS NAME TYPE [TYPE PORT INSTANCE]…: TYPE, as {@code _http._tcp}, is what it looks
 * for; it publishes the services. It says {@code ready} first.
 */
final class Jmdns {
  private Jmdns() {}

  private static String text(String s) {
    return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  private static String list(List<String> texts) {
    return "[" + String.join(", ", texts) + "]";
  }

  private static String json(ServiceInfo info) {
    Map<String, String> of = new TreeMap<>();
    List<String> addresses = new ArrayList<>();
    for (InetAddress a : info.getInetAddresses()) {
      addresses.add(text(a.getHostAddress().replaceAll("%.*", "")));
    }
    of.put("name", text(info.getName()));
    of.put("host", text(info.getServer()));
    of.put("port", Integer.toString(info.getPort()));
    List<String> strings = new ArrayList<>();
    for (String key : Collections.list(info.getPropertyNames())) {
      strings.add(text(key + "=" + info.getPropertyString(key)));
    }
    of.put("txt", list(strings));
    of.put("addresses", list(addresses));
    List<String> pairs = new ArrayList<>();
    of.forEach((k, v) -> pairs.add(text(k) + ": " + v));
    return "{" + String.join(", ", pairs) + "}";
  }

  public static void main(String[] words) throws IOException {
    Map<String, ServiceInfo> found = new ConcurrentSkipListMap<>();
    try (JmDNS jmdns = JmDNS.create(InetAddress.getByName(words[0]), words[1])) {
      jmdns.addServiceListener(words[2] + ".local.", new ServiceListener() {
        @Override
        public void serviceAdded(ServiceEvent event) {
          jmdns.requestServiceInfo(event.getType(), event.getName(), 1);
        }

        @Override
        public void serviceRemoved(ServiceEvent event) {
          found.remove(event.getName());
        }

        @Override
        public void serviceResolved(ServiceEvent event) {
          found.put(event.getName(), event.getInfo());
        }
      });
      List<ServiceInfo> ours = new ArrayList<>();
      for (int i = 3; i + 2 < words.length; i += 3) {
        ServiceInfo info = ServiceInfo.create(words[i] + ".local.", words[i + 2], Integer.parseInt(words[i + 1]), "path=/");
        ours.add(info);
        jmdns.registerService(info);
      }
      System.out.println("ready");
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        List<String> answer = new ArrayList<>();
        if (line.equals("services")) {
          found.values().forEach(info -> answer.add(json(info)));
        } else if (line.equals("name")) {
          answer.add(text(jmdns.getHostName()));
          ours.forEach(info -> answer.add(text(info.getName())));
        } else {
          throw new IOException("unknown: " + Arrays.toString(words) + " " + line);
        }
        System.out.println("answer " + list(answer));
      }
    }
  }
}
