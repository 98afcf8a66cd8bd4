"""The glue inside an amphora: one HTTPS API in, haproxy and keepalived out, beats over UDP. Knows of no bus and no cloud."""

VERSION = "0.1.0"
