using KpiControl.Control.Drift;
using KpiControl.Control.Drift.Stores;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Commits that git and gpg signed, with keys made for the test.</summary>
public sealed class OpenPgpCommitTests : IDisposable
{
    private readonly GitRepository repository = new();
    private readonly GnuPg gpg = new();

    public void Dispose()
    {
        repository.Dispose();
        gpg.Dispose();
    }

    [Fact]
    public async Task A_store_reads_what_known_keys_have_signed_and_refuses_the_rest_in_words()
    {
        var (ann, bea, mallory) = (gpg.Key("ann", "rsa2048"), gpg.Key("bea"), gpg.Key("mallory"));
        var signed = Commit(ann, "0 4 * * *");
        await using var world = await DriftWorld.OfGitAsync(repository.Bare, ("OpenPgpKeysFile", gpg.Export(ann, bea)));
        await world.ApplyAsync("daily", "0 4 * * *");
        Assert.Equal(("ok", signed, true), await world.SyncAsync() is var first ? (first.State, first.Version, first.Signed) : default);
        Assert.Equal("in_sync", await world.StateAsync("daily"));

        await RefusedAsync(null, "is not signed; nothing of the branch is read until it is signed, or taken back");
        await RefusedAsync(mallory, $"is signed with the OpenPGP key {mallory[^16..]}, which does not stand in OpenPgpKeysFile");

        var byBea = Commit(bea, "0 7 * * *");
        Assert.Equal(("ok", byBea), await world.SyncAsync() is var back ? (back.State, back.Version) : default);
        Assert.Equal("drifted", await world.StateAsync("daily"));

        async Task RefusedAsync(string? key, string why)
        {
            var refused = Commit(key, "0 6 * * *");
            var store = await world.SyncAsync();
            Assert.Equal(("failing", signed), (store.State, store.Version));
            Assert.Contains($"the commit {refused[..12]} of Ann on main {why}", store.Failure, StringComparison.Ordinal);
            Assert.Equal("unreadable", await world.StateAsync("daily"));
            repository.Reset(signed);
        }
    }

    [Theory]
    [InlineData("rsa3072")]
    [InlineData("ed25519")]
    [InlineData("nistp256")]
    public void Keys_of_each_kind_that_gpg_makes_count(string algorithm)
    {
        var ann = gpg.Key("ann", algorithm);
        Commit(ann);
        Assert.Null(Judge(gpg.Export(ann)));
    }

    [Fact]
    public void A_subkey_signs_for_its_primary_key_until_it_is_revoked()
    {
        var ann = gpg.Key("ann", "rsa2048", use: "cert");
        Commit(gpg.Subkey("ann", ann));
        Assert.Null(Judge(gpg.Export(ann)));
        gpg.RevokeSubkey(ann);
        Assert.Equal("is signed with a subkey of ann <ann@example.com> that was revoked", Judge(gpg.Export(ann)));
    }

    [Fact]
    public void A_revoked_key_counts_no_more_whenever_it_signed()
    {
        var ann = gpg.Key("ann");
        Commit(ann);
        gpg.Revoke(ann);
        Assert.Equal("is signed with the OpenPGP key of ann <ann@example.com> that was revoked", Judge(gpg.Export(ann)));
    }

    [Fact]
    public void An_expired_key_counts_no_more_though_the_signature_says_that_it_is_older()
    {
        var ann = gpg.Key("ann", expires: "1y", at: GnuPg.LongAgo);
        Commit(ann, options: GnuPg.FakedTime(GnuPg.LongAgo.AddDays(1)));
        Assert.StartsWith("is signed with the OpenPGP key of ann <ann@example.com> that expired on 202", Judge(gpg.Export(ann)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SHA1")]
    [InlineData("RIPEMD160")]
    public void A_weak_digest_is_refused(string digest)
    {
        var ann = gpg.Key("ann", "rsa2048");
        Commit(ann, options: $"--allow-weak-digest-algos --digest-algo {digest}");
        Assert.Equal($"has an OpenPGP signature by {digest}, which is not safe any more: sign with SHA-256 or better", Judge(gpg.Export(ann)));
    }

    [Fact]
    public void A_key_of_too_few_bits_is_refused()
    {
        var ann = gpg.Key("ann", "rsa1024");
        Commit(ann);
        Assert.Equal("is signed with the OpenPGP key of ann <ann@example.com> of 1024 bits: fewer than 2048 are not safe any more", Judge(gpg.Export(ann)));
    }

    [Fact]
    public void A_key_that_vouches_for_itself_by_a_weak_digest_alone_is_refused()
    {
        var ann = gpg.Key("ann", "rsa2048", more: ["--allow-weak-digest-algos", "--cert-digest-algo", "SHA1"]);
        Commit(ann);
        Assert.StartsWith("is signed with the OpenPGP key of ann <ann@example.com>, which vouches for none of its names by SHA-256 or better", Judge(gpg.Export(ann)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_signature_of_other_content_is_not_valid()
    {
        var ann = gpg.Key("ann");
        Commit(ann);
        repository.Forge();
        Assert.Equal("has an OpenPGP signature of ann <ann@example.com> that is not valid: it is of other content", Judge(gpg.Export(ann)));
    }

    [Fact]
    public void A_signature_that_is_none_is_refused_and_breaks_nothing()
    {
        var ann = gpg.Key("ann");
        var signers = OpenPgpSigners.Read(gpg.Export(ann));
        string[] none = ["", "AAAA", "wsBzBAABCAAdFiEE", new('A', 17_000)];
        Assert.All(none, body => Assert.StartsWith("has a", signers.MistakeOf($"{OpenPgpSigners.Signature}\n\n{body}\n-----END PGP SIGNATURE-----\n", [1], TimeProvider.System.GetUtcNow())));
    }

    [Fact]
    public void Each_kind_of_signature_counts_where_its_file_is_set()
    {
        var ann = gpg.Key("ann");
        Commit(ann);
        Assert.StartsWith("is signed by OpenPGP, and OpenPgpKeysFile is not set", Judge(new StoreSettings { AllowedSignersFile = "/nowhere" }), StringComparison.Ordinal);
        Assert.Null(Judge(new StoreSettings { AllowedSignersFile = "/nowhere", OpenPgpKeysFile = gpg.Export(ann) }));
    }

    [Fact]
    public void Settings_that_cannot_work_are_refused_at_start()
    {
        var ann = gpg.Key("ann");
        var none = Path.Combine(repository.Root, "none.asc");
        File.WriteAllText(none, "nothing");
        StorePassTests.Refused($":OpenPgpKeysFile {none} holds no armoured public key", "OpenPgpKeysFile", none);
        var secret = gpg.ExportPrivate(ann);
        StorePassTests.Refused($":OpenPgpKeysFile {secret} holds a private key", "OpenPgpKeysFile", secret);
        StorePassTests.Refused(":OpenPgpKeysFile asks for signatures, and the control plane has no key", "OpenPgpKeysFile", gpg.Export(ann), "WritesApplied", "true");
        StorePassTests.Refused(":SigningKeyFile is an ssh key, with which nobody may sign: set AllowedSignersFile too", "OpenPgpKeysFile", gpg.Export(ann), "SigningKeyFile", none);
    }

    private string Commit(string? key, string cron = "*/15 * * * *", string options = "")
    {
        (repository.SigningKey, repository.OpenPgp) = (key, gpg.Program(options));
        return repository.Commit(("daily.yaml", SampleTexts.Simple("daily", cron)));
    }

    private string? Judge(string keysFile) => Judge(new StoreSettings { OpenPgpKeysFile = keysFile });

    private string? Judge(StoreSettings settings)
    {
        using var bare = new LibGit2Sharp.Repository(repository.Bare);
        return new GitSignatures(settings).MistakeOf(bare, bare.Branches["main"].Tip);
    }
}
