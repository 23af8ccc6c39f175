"""The way to https://api.stripe.com for a live key: a proxy that takes CONNECT, answers the TLS handshake as Stripe would,
with a certificate of the bench's own authority, and hands everything on to the double. It connects to loopback alone.

    front.py PORT DOUBLE_PORT CERTIFICATE KEY
"""

import asyncio
import ssl
import sys

STRIPE = b"CONNECT api.stripe.com:443 "


async def copy(reader, writer):
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def carry(reader, writer, double, context):
    asked = await reader.readuntil(b"\r\n\r\n")
    if not asked.startswith(STRIPE):
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await writer.drain()
    await writer.start_tls(context)
    inside, outside = await asyncio.open_connection("127.0.0.1", double)
    await asyncio.gather(copy(reader, outside), copy(inside, writer))


async def main(port, double, certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda r, w: carry(r, w, int(double), context), "127.0.0.1", int(port))
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
