using KpiControl.Control.Hosting;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Hosting;

public sealed class StartupTests
{
    [Fact]
    public async Task Mistakes_in_several_sections_are_told_at_once_each_once()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        await using var issuer = await TestIssuer.StartAsync();
        using var key = new AuditKeyFile();
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(key.Path, UnixFileMode.UserRead | UnixFileMode.OtherRead);

        var error = await Assert.ThrowsAnyAsync<Exception>(() => ControlHost.StartAsync(database, issuer,
            ("Audit:SigningKeyFile", key.Path), ("Ca:KeyFile", key.Path), ("Ca:CertificateFile", "/nowhere.crt"), ("Listen:Grpc", "nonsense")));

        Assert.Equal(
        [
            $"Audit:SigningKeyFile '{key.Path}' is open to every user of this machine: chmod 600",
            "Ca: the file '/nowhere.crt' does not exist",
            $"Ca:KeyFile '{key.Path}' is open to every user of this machine: whoever reads it can make agents. chmod 600 it",
            "Listen:Grpc 'nonsense' is not an address like http://127.0.0.1:7400",
        ], Startup.Mistakes(error).Order(StringComparer.Ordinal));
    }
}
