using System.Diagnostics;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>A store that takes signed commits alone, signed and not signed by git itself.</summary>
public sealed class SignedCommitTests : IDisposable
{
    private readonly GitRepository repository = new();
    private readonly string keys = Directory.CreateTempSubdirectory("kpi-signers-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Allowed => Path.Combine(keys, "allowed_signers");

    public void Dispose()
    {
        repository.Dispose();
        Directory.Delete(keys, recursive: true);
    }

    [Fact]
    public async Task A_commit_that_nobody_allowed_has_signed_is_refused_in_words_and_nothing_changes()
    {
        var (ann, mallory) = (Key("ann"), Key("mallory"));
        Allow(("ann@example.com", ann));
        repository.SigningKey = ann;
        var signed = repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await using var world = await DriftWorld.OfGitAsync(repository.Bare, ("AllowedSignersFile", Allowed));
        await world.ApplyAsync("daily");
        Assert.Equal(("ok", signed, true), await world.SyncAsync() is var first ? (first.State, first.Version, first.Signed) : default);
        Assert.Equal("in_sync", await world.StateAsync("daily"));

        repository.SigningKey = null;
        var unsigned = repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *")));
        await RefusedAsync(world, signed, $"the commit {unsigned[..12]} of Ann on main is not signed; nothing of the branch is read until it is signed, or taken back");

        // A signed commit on top of it vouches for its own change, not for what somebody else slipped in below.
        repository.SigningKey = ann;
        repository.Commit(("other.yaml", SampleTexts.Simple("other")));
        await RefusedAsync(world, signed, $"the commit {unsigned[..12]} of Ann on main is not signed");

        repository.Reset(signed);
        repository.SigningKey = mallory;
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 6 * * *")));
        await RefusedAsync(world, signed, "is signed by nobody who stands in AllowedSignersFile");

        repository.Reset(signed);
        repository.SigningKey = ann;
        var mended = repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 7 * * *")));
        Assert.Equal(("ok", mended), await world.SyncAsync() is var back ? (back.State, back.Version) : default);
        Assert.Equal("drifted", await world.StateAsync("daily"));
    }

    [Fact]
    public async Task A_signature_of_other_content_is_not_valid()
    {
        var ann = Key("ann");
        Allow(("ann@example.com", ann));
        repository.SigningKey = ann;
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        var forged = repository.Forge();
        await using var world = await DriftWorld.OfGitAsync(repository.Bare, ("AllowedSignersFile", Allowed));
        Assert.Contains($"the commit {forged[..12]} of Ann on main has a signature that is not valid", (await world.SyncAsync()).Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_control_plane_commits_is_signed_with_its_own_key_which_must_be_allowed_too()
    {
        var (ann, own) = (Key("ann"), Key("control"));
        Allow(("ann@example.com", ann));
        repository.SigningKey = ann;
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await using var world = await DriftWorld.OfGitAsync(repository.Bare, ("AllowedSignersFile", Allowed), ("SigningKeyFile", own), ("WritesApplied", "true"));
        var bindingId = await world.ApplyAsync("daily");
        await world.SyncAsync();
        await world.RebindAsync(bindingId, "daily", "0 5 * * *");
        await world.SyncAsync();
        Assert.Equal("pending_write", await world.StateAsync("daily"));
        Assert.StartsWith("the store takes signed commits alone, and what the control plane commits is signed by nobody who stands in AllowedSignersFile", (await world.OfAsync("daily")).Write.Problem, StringComparison.Ordinal);

        Allow(("ann@example.com", ann), ("kpi-control@localhost", own));
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        // Git itself says of it what it says of everybody's.
        Assert.Contains("Good \"git\" signature for kpi-control@localhost", repository.Verify(Allowed), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(":AllowedSignersFile '/nowhere' does not exist", "AllowedSignersFile", "/nowhere")]
    [InlineData(":SigningKeyFile is of a store of kind git alone", "Kind", "directory", "SigningKeyFile", "/nowhere")]
    public void Settings_that_cannot_work_are_refused_at_start(string told, params string[] settings) => StorePassTests.Refused(told, settings);

    [Fact]
    public void A_store_that_is_written_to_and_asks_for_signatures_needs_a_key_of_its_own()
    {
        Allow();
        StorePassTests.Refused(":AllowedSignersFile asks for signatures, and the control plane has no key", "AllowedSignersFile", Allowed, "WritesApplied", "true");
    }

    private static async Task RefusedAsync(DriftWorld world, string stays, string why)
    {
        var store = await world.SyncAsync();
        Assert.Equal(("failing", stays), (store.State, store.Version));
        Assert.Contains(why, store.Failure, StringComparison.Ordinal);
        var job = await world.OfAsync("daily");
        Assert.Equal(("unreadable", job.Entry.BoundHash), (job.Entry.State, job.Entry.StoreHash));
    }

    private string Key(string name)
    {
        var file = Path.Combine(keys, name);
        using var process = Process.Start(new ProcessStartInfo("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file]))!;
        process.WaitForExit();
        return file;
    }

    private void Allow(params (string Who, string Key)[] signers) =>
        File.WriteAllLines(Allowed, signers.Select(signer => $"{signer.Who} namespaces=\"git\" {File.ReadAllText($"{signer.Key}.pub").Trim()}"));
}
