"""The server for chatbots, by the Model Context Protocol (decision 0055).

This server is a process of its own, and a client of a GeoReport server, which it calls over HTTP with our SDK. So a
chatbot sees what the public sees, and can do what an app with the same api_key can do. This server needs the extra
`mcp`.
"""
