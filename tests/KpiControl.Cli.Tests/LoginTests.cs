using System.Text.Json;
using System.Text.RegularExpressions;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Login;
using KpiControl.Cli.Tests.Support;
using KpiControl.Testing;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

/// <summary>kpictl login and logout against a certified provider and the real control plane.</summary>
public sealed partial class LoginTests : IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;
    private readonly CommandLine kpictl = new();
    private TestDatabase database = null!;
    private OidcProvider provider = null!;
    private TestIssuer issuer = null!;
    private ControlHost host = null!;

    public async ValueTask InitializeAsync()
    {
        database = await PostgresFixture.CreateDatabaseAsync(Token);
        provider = await OidcProvider.StartAsync(Token);
        issuer = await TestIssuer.StartAsync(Token);
        host = await ControlHost.StartAsync(database, issuer, ("Authentication:Issuer", provider.Url), ("Authentication:Audience", OidcProvider.Audience),
            ("Authentication:TokenTypes:0", "at+jwt"), ("Authentication:KeysRetrySeconds", "1"));
        kpictl.With("KPICTL_SERVER", host.GrpcUrl).With("SECRET", provider.Secret);
    }

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await issuer.DisposeAsync();
        await provider.DisposeAsync();
        await database.DisposeAsync();
        kpictl.Dispose();
    }

    private SavedLogin Saved => LoginFile.Read(kpictl.World(TextWriter.Null, TextWriter.Null), new Uri(host.GrpcUrl))!;

    [Fact]
    public async Task A_person_logs_in_by_the_device_flow_and_every_command_has_a_token_until_logout()
    {
        var before = await kpictl.Run("get");
        Assert.Equal(4, before.Exit);
        Assert.Contains("next: kpictl login", before.Error, StringComparison.Ordinal);

        await DeviceAsync("ann@acme.example");

        Assert.Equal(0, (await kpictl.Run("contracts", "list")).Exit);
        var path = Assert.Single(Directory.GetFiles(Path.Combine(kpictl.Home, ".config", "kpictl", "logins")));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));

        var refresh = Saved.RefreshToken!;
        var logout = await kpictl.Run("logout");
        Assert.Equal((0, false), (logout.Exit, File.Exists(path)));
        Assert.Contains("at the issuer too", logout.Error, StringComparison.Ordinal);
        Assert.Equal(4, (await kpictl.Run("get")).Exit);
        using var asked = await Issuer.FindAsync(provider.Url, Token);
        await Assert.ThrowsAsync<Refusal>(() => asked.RefreshAsync(new LoginRequest("kpictl", null, null, null, null), refresh, Token));
    }

    [Fact]
    public async Task A_token_that_runs_out_is_renewed_by_itself_and_once_it_cannot_be_the_way_back_is_said()
    {
        await DeviceAsync("ann@acme.example");
        var first = Saved;
        // Five minutes of the issuer, gone by at kpictl.
        using var later = kpictl.At(new FakeTimeProvider(first.ExpiresAt));
        Assert.Equal(0, (await later.Run("contracts", "list")).Exit);
        Assert.NotEqual((first.AccessToken, first.RefreshToken), (Saved.AccessToken, Saved.RefreshToken));

        using (var asked = await Issuer.FindAsync(provider.Url, Token))
            Assert.True(await asked.RevokeAsync(new LoginRequest("kpictl", null, null, null, null), Saved.RefreshToken!, Token));
        using var much = kpictl.At(new FakeTimeProvider(first.ExpiresAt + TimeSpan.FromHours(1)));
        var refused = await much.Run("contracts", "list");
        Assert.Equal(4, refused.Exit);
        Assert.Contains("could not be renewed", refused.Error, StringComparison.Ordinal);
        Assert.Contains("next: kpictl login", refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await much.Run("version")).Exit);
    }

    [Fact]
    public async Task A_service_logs_in_with_its_secret_which_is_kept_nowhere_and_goes_on_when_the_issuer_rotates_its_key()
    {
        var login = await kpictl.Run("login", "--client-id", "ci", "--client-secret", "env:SECRET");
        Assert.Equal(0, login.Exit);
        Assert.Contains(" as ci, ", login.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await kpictl.Run("contracts", "list")).Exit);
        Assert.DoesNotContain(Directory.GetFiles(kpictl.Home, "*", SearchOption.AllDirectories), file => File.ReadAllText(file).Contains(provider.Secret, StringComparison.Ordinal));
        Assert.Equal("acme/dev/author", JsonDocument.Parse(Base64(Saved.AccessToken.Split('.')[1])).RootElement.GetProperty("kpi_roles")[0].GetString());

        var former = Saved.AccessToken;
        await provider.RotateAsync();
        // The new key is fetched without a restart, but not more often than once a second.
        using var later = kpictl.At(new FakeTimeProvider(Saved.ExpiresAt));
        while ((await later.Run("contracts", "list")).Exit != 0)
            Token.ThrowIfCancellationRequested();
        Assert.NotEqual(former, Saved.AccessToken);
        using var old = new CommandLine().With("KPICTL_SERVER", host.GrpcUrl).With("KPICTL_TENANT", "acme").With("KPICTL_TOKEN", former);
        Assert.Equal(4, (await old.Run("contracts", "list")).Exit);
    }

    [Theory]
    [InlineData("wrong", 4, "refused: invalid_client")]
    [InlineData("", 4, "SECRET (--client-secret) is not set")]
    public async Task A_secret_that_does_not_count_is_exit_4(string secret, int exit, string words)
    {
        var refused = await kpictl.With("SECRET", secret).Run("login", "--client-id", "ci", "--client-secret", "env:SECRET");
        Assert.Equal(exit, refused.Exit);
        Assert.Contains(words, refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_on_the_command_line_and_an_issuer_without_TLS_are_refused()
    {
        var secret = await kpictl.Run("login", "--client-id", "ci", "--client-secret", provider.Secret);
        Assert.Equal(2, secret.Exit);
        Assert.Contains("must be a reference", secret.Error, StringComparison.Ordinal);
        var plain = await kpictl.Run("login", "--issuer", "http://id.example.com");
        Assert.NotEqual(0, plain.Exit);
        Assert.Contains("cannot be asked", plain.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_login_that_others_can_read_is_not_used()
    {
        if (OperatingSystem.IsWindows())
            return;
        LoginFile.Write(kpictl.World(TextWriter.Null, TextWriter.Null), new Uri(host.GrpcUrl), new SavedLogin { AccessToken = "t", ExpiresAt = DateTimeOffset.MaxValue });
        File.SetUnixFileMode(Directory.GetFiles(Path.Combine(kpictl.Home, ".config", "kpictl", "logins")).Single(), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var refused = await kpictl.Run("get");
        Assert.Equal(4, refused.Exit);
        Assert.Contains("can be read or changed by others", refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await kpictl.Run("logout")).Exit);
    }

    [Fact]
    public async Task A_person_who_refuses_is_not_logged_in()
    {
        var refused = await RunDeviceAsync(page => OidcProvider.ConfirmAsync(page, "", aborts: true));
        Assert.Equal(4, refused.Exit);
        Assert.Contains("refused", refused.Error, StringComparison.Ordinal);
        Assert.Equal(4, (await kpictl.Run("get")).Exit);
    }

    private async Task DeviceAsync(string account)
    {
        var done = await RunDeviceAsync(page => OidcProvider.ConfirmAsync(page, account));
        Assert.True(done.Exit == 0, done.Error);
        Assert.Contains($" as {account}, until ", done.Error, StringComparison.Ordinal);
    }

    private async Task<CommandResult> RunDeviceAsync(Func<string, Task> browser)
    {
        var page = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var error = new PageWriter(page);
        var login = Kpictl.Run(["login"], kpictl.World(TextWriter.Null, error), Token);
        await Task.WhenAny(page.Task, login);
        if (page.Task.IsCompleted)
            await browser(await page.Task);
        return new CommandResult(await login, "", error.ToString());
    }

    private static byte[] Base64(string text) => System.Buffers.Text.Base64Url.DecodeFromChars(text);

    /// <summary>Standard error, that hands the page to open to whoever plays the person.</summary>
    private sealed partial class PageWriter(TaskCompletionSource<string> page) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (Opened().Match(value ?? "") is { Success: true } opened)
                page.TrySetResult(opened.Groups[1].Value);
        }

        [GeneratedRegex("^open (http.*)$")]
        private static partial Regex Opened();
    }
}
