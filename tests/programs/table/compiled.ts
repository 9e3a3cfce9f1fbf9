import { http, type Program } from "../program.ts";

const make = (name: string, pkg: string, compiler: string, source: string): Program => ({
  ...http,
  name,
  packages: [pkg],
  files: { [compiler.split(" ").at(-1) ?? ""]: source },
  prepare: `${compiler} 2>&1`,
  run: "exec ./server",
});

/** Compiled languages. */
export const compiled: readonly Program[] = [
  {
    ...make(
      "Rust, std::net",
      "rustc",
      "rustc -o server server.rs",
      `use std::io::*;
fn main() {
    for peer in std::net::TcpListener::bind("[::]:8080").unwrap().incoming() {
        let mut peer = peer.unwrap();
        println!("{}", peer.peer_addr().unwrap());
        let _ = peer.read(&mut [0; 1000]);
        let _ = peer.write_all(b"HTTP/1.0 200 OK\\r\\n\\r\\na page\\n");
    }
}
`,
    ),
    logsPeerTo: "output",
  },
  make(
    "OCaml, Unix",
    "ocaml-nox",
    "ocamlopt -I +unix unix.cmxa -o server server.ml",
    `let page = "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"
let () =
  let s = Unix.(socket PF_INET SOCK_STREAM 0) in
  Unix.(setsockopt s SO_REUSEADDR true; bind s (ADDR_INET (inet_addr_any, 8080)); listen s 5);
  while true do
    let peer, _ = Unix.accept s in
    ignore (Unix.read peer (Bytes.create 1000) 0 1000);
    ignore (Unix.write_substring peer page 0 (String.length page));
    Unix.close peer
  done
`,
  ),
  make(
    "D, Phobos",
    "gdc",
    "gdc -o server server.d",
    `import std.socket;
void main() {
  auto server = new TcpSocket();
  server.setOption(SocketOptionLevel.SOCKET, SocketOption.REUSEADDR, true);
  server.bind(new InternetAddress(8080));
  server.listen(5);
  for (;;) {
    auto peer = server.accept();
    ubyte[1000] request;
    peer.receive(request);
    peer.send("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n");
    peer.shutdown(SocketShutdown.SEND);
    peer.receive(request);
    peer.close();
  }
}
`,
  ),
  make(
    "Ada, GNAT.Sockets",
    "gnat",
    "gnatmake -q -o server server.adb",
    `with GNAT.Sockets; use GNAT.Sockets;
with Ada.Streams; use Ada.Streams;
procedure Server is
  Address : Sock_Addr_Type; Listener, Peer : Socket_Type;
  Request : Stream_Element_Array (1 .. 1000); Last : Stream_Element_Offset;
  End_Of_Line : constant String := ASCII.CR & ASCII.LF;
begin
  Create_Socket (Listener);
  Set_Socket_Option (Listener, Socket_Level, (Reuse_Address, True));
  Bind_Socket (Listener, (Family_Inet, Any_Inet_Addr, 8080));
  Listen_Socket (Listener);
  loop
    Accept_Socket (Listener, Peer, Address);
    Receive_Socket (Peer, Request, Last);
    String'Write (Stream (Peer), "HTTP/1.0 200 OK" & End_Of_Line & End_Of_Line & "a page");
    Shutdown_Socket (Peer, Shut_Write);
    Receive_Socket (Peer, Request, Last);
    Close_Socket (Peer);
  end loop;
end Server;
`,
  ),
  {
    ...make(
      "Free Pascal, sockets unit",
      "fp-compiler",
      "fpc -oserver server.pas",
      `program server; uses cthreads, sockets;
var s, peer: longint; at: TInetSockAddr; size: TSockLen; request: array[0..999] of char; page: string;
begin
  s := fpSocket(AF_INET, SOCK_STREAM, 0);
  at.sin_family := AF_INET; at.sin_port := htons(8080); at.sin_addr.s_addr := 0;
  if (fpBind(s, @at, sizeof(at)) <> 0) or (fpListen(s, 5) <> 0) then halt(1);
  page := 'HTTP/1.0 200 OK'#13#10#13#10'a page'#10;
  while true do begin
    size := sizeof(at); peer := fpAccept(s, @at, @size);
    fpRecv(peer, @request, 1000, 0); fpSend(peer, @page[1], length(page), 0);
    fpShutdown(peer, 1); fpRecv(peer, @request, 1000, 0); CloseSocket(peer);
  end;
end.
`,
    ),
    cannot: {
      reason:
        "Free Pascal programs make system calls themselves, also when they are linked dynamically, as with cthreads",
      instead:
        "hand it a listening socket as file descriptor 3, or let `socat` under the library listen for it",
    },
  },
];
