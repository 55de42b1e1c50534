"""The server for chatbots, by the Model Context Protocol (decision 0055).

It is a process of its own, and a client like others: it calls a GeoReport server over HTTP by our SDK. So a
chatbot sees what the public sees, and can do what an app with the same api_key can do. The server needs the extra
`mcp`.
"""
