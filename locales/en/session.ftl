### Signing in.

sign-in-title = Sign in
sign-in-heading = Sign in to Hybrid Web Cluster
sign-in-login = User name
sign-in-password = Password
sign-in-stay = Keep me signed in on this device
sign-in-button = Sign in
sign-in-expired = Your session is over. Sign in again to go on where you were.
