using System.CommandLine;
using KpiControl.Samples.Issuer;

// A local OpenID issuer for trying the product out and for its tests: discovery, public keys, and tokens for named
// demo principals to whoever can read its directory. Loopback only; production has an issuer of its own.

var directory = new Option<string>("--dir") { Description = "Where the key and the issuer's URL are kept.", Required = true };
var port = new Option<int>("--port") { Description = "The port to listen on; 0 lets the system choose." };
var principal = new Option<string[]>("--principal") { Description = "Whose token; one line each.", Required = true, AllowMultipleArgumentsPerToken = true };
var ttl = new Option<int>("--ttl") { Description = "Seconds that the token is valid.", DefaultValueFactory = _ => 3600 };
principal.AcceptOnlyFromAmong([.. Principals.All.Keys]);

var serve = new Command("serve", "Serves the discovery document and the keys until stopped.") { directory, port };
serve.SetAction(async (args, token) =>
{
    var at = args.GetRequiredValue(directory);
    Directory.CreateDirectory(at);
    var key = SigningKey.LoadOrCreate(at);
    await using var app = await IssuerServer.StartAsync(key.PublicKeys, args.GetValue(port), token);
    PrivateFile.Write(Path.Combine(at, "issuer-url"), IssuerServer.Url(app));
    await app.WaitForShutdownAsync(token);
});

var mint = new Command("token", "Prints tokens of demo principals.") { directory, principal, ttl };
mint.SetAction(args =>
{
    var at = args.GetRequiredValue(directory);
    var issuer = File.ReadAllText(Path.Combine(at, "issuer-url"));
    var key = SigningKey.LoadOrCreate(at);
    foreach (var name in args.GetRequiredValue(principal))
        Console.WriteLine(key.Token(issuer, Principals.All[name], TimeSpan.FromSeconds(args.GetValue(ttl))));
});

return await new RootCommand("A local OpenID issuer with demo principals.") { serve, mint }.Parse(args).InvokeAsync();
