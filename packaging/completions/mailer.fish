# The program itself knows what can be completed, and how it is asked.
env _MAILER_COMPLETE=fish_source mailer | source
