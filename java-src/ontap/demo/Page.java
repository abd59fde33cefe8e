// SPDX-License-Identifier: Apache-2.0
package ontap.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A web server of one page, which says who serves it and to whom: {@code Page PORT}. One request at a time. Writes a
 * line to standard output once it listens. One class file, without lambdas or inner classes.
 */
public final class Page {
    private static final int PATIENCE_MS = 5000;

    private Page() {
    }

    /** Serves until it is killed. IOException when the port is not to be had. */
    public static void main(final String[] words) throws IOException {
        try (ServerSocket server = new ServerSocket(Integer.parseInt(words[0]))) {
            System.out.println("ready");
            while (true) {
                try (Socket client = server.accept()) {
                    client.setSoTimeout(PATIENCE_MS);
                    answer(client);
                } catch (final IOException e) {
                    System.err.println("page: " + e);
                }
            }
        }
    }

    private static void answer(final Socket client) throws IOException {
        final BufferedReader in =
                new BufferedReader(new InputStreamReader(client.getInputStream(), StandardCharsets.US_ASCII));
        final String request = in.readLine();
        for (String line = request; line != null && !line.isEmpty(); line = in.readLine()) {
            // headers: nothing here depends on them
        }
        if (request == null) {
            return;
        }
        final byte[] body = page(client).getBytes(StandardCharsets.UTF_8);
        final String head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
                + body.length + "\r\n\r\n";
        client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
        client.getOutputStream().write(body);
        System.err.println(request + " from " + text(client.getInetAddress()));
    }

    private static String page(final Socket client) throws IOException {
        return "This is " + System.getenv("ONTAP_NAME") + " at " + text(client.getLocalAddress()) + ", port "
                + client.getLocalPort() + ".\n"
                + "My host name is " + Files.readString(Path.of("/proc/sys/kernel/hostname")).trim() + ", my process "
                + ProcessHandle.current().pid() + ", my user " + System.getenv("USER")
                + ", my capabilities " + status("CapEff") + ".\n"
                + "You are " + text(client.getInetAddress()) + ".\n";
    }

    /** A line of /proc/self/status, its value. */
    private static String status(final String name) throws IOException {
        for (final String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith(name + ":")) {
                return line.substring(name.length() + 1).trim();
            }
        }
        return "unknown";
    }

    /** Without zone, and with :: for the first zeros, as people write it. */
    private static String text(final InetAddress address) {
        final String text = address.getHostAddress();
        final int zone = text.indexOf('%');
        return (zone < 0 ? text : text.substring(0, zone)).replaceFirst("(^|:)0(:0)+(:|$)", "::");
    }
}
