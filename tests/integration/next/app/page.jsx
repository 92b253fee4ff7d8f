import { auth, signIn, signOut } from "../auth"

async function logIn() {
  "use server"
  await signIn("bankid")
}

async function logOut() {
  "use server"
  await signOut()
}

export default async function Page() {
  const session = await auth()
  return session ? (
    <form action={logOut}>
      <p id="person">{JSON.stringify(session.user)}</p>
      <button id="log-out">Log out</button>
    </form>
  ) : (
    <form action={logIn}>
      <button id="log-in">Log in</button>
    </form>
  )
}
