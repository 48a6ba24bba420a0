"""What `thinkq doctor` looks at; each check asks the real thing and names the cure."""
