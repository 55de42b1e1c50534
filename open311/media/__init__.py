"""Turns photos into clean JPEGs in a child process, and keeps files in a folder or in S3. It knows no database."""
