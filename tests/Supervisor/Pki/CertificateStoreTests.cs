using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Time.Testing;
using Vks.Supervisor;
using Vks.Supervisor.Pki;

namespace Vks.Tests.Supervisor.Pki;

/// <summary>Certificates are made when they are missing and anew before they end, and never without a reason.</summary>
public sealed class CertificateStoreTests : IDisposable
{
    private static readonly TimeSpan s_life = TimeSpan.FromDays(90);

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-").FullName;
    private readonly CertificateWanted _server = new()
    {
        Name = "server", Authority = AuthorityFiles.Kubernetes, CommonName = "kube-apiserver", DnsNames = ["kubernetes"], Addresses = [IPAddress.Parse("10.0.0.11")],
    };

    public CertificateStoreTests() => AuthorityFiles.Ensure(_folder, "demo", _time.GetUtcNow());

    private CertificateStore Store => new(_folder, s_life, _time);

    [Fact]
    public void A_certificate_that_is_good_stays_until_a_third_of_its_life_is_left()
    {
        Assert.Equal([("server", "missing")], Store.Ensure([_server]));
        string first = Serial();

        _time.Advance(s_life * 0.6);
        Assert.Empty(Store.Ensure([_server]));
        Assert.Equal(first, Serial());

        _time.Advance(s_life * 0.1);
        Assert.StartsWith("ends ", Assert.Single(Store.Ensure([_server])).Why, StringComparison.Ordinal);
        Assert.NotEqual(first, Serial());
        Assert.Equal(_time.GetUtcNow() + s_life, Store.FirstEnd([_server]));
    }

    [Fact]
    public void A_certificate_that_was_made_by_a_clock_a_year_ahead_is_good_now()
    {
        FakeTimeProvider ahead = new(_time.GetUtcNow() + TimeSpan.FromDays(365));
        new CertificateStore(_folder, s_life, ahead).Ensure([_server]);

        using X509Certificate2 made = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, "server.crt"));
        Assert.True(made.NotBefore <= _time.GetUtcNow().LocalDateTime, $"good from {made.NotBefore:u} on");
        Assert.Empty(Store.Ensure([_server]));
    }

    [Fact]
    public void A_clock_before_the_authoritys_beginning_makes_no_certificate_twice()
    {
        FakeTimeProvider behind = new(_time.GetUtcNow() - TimeSpan.FromDays(1));
        CertificateStore store = new(_folder, s_life, behind);
        store.Ensure([_server]);

        Assert.Empty(store.Ensure([_server]));
    }

    [Fact]
    public void A_certificate_whose_names_have_changed_or_whose_key_is_another_is_made_anew()
    {
        Store.Ensure([_server]);

        CertificateWanted more = _server with { Addresses = [.. _server.Addresses, IPAddress.Parse("10.0.0.14")] };
        Assert.Equal([("server", "its names have changed")], Store.Ensure([more]));

        // As after a crash between the two files.
        File.Copy(Path.Combine(_folder, "ca.key"), Path.Combine(_folder, "server.key"), overwrite: true);
        Assert.StartsWith("unreadable", Assert.Single(Store.Ensure([more])).Why, StringComparison.Ordinal);
        Assert.Empty(Store.Ensure([more]));
    }

    [Fact]
    public void A_certificate_of_another_authority_is_made_anew()
    {
        Store.Ensure([_server]);
        File.Delete(Path.Combine(_folder, "ca.crt"));
        AuthorityFiles.Ensure(_folder, "demo", _time.GetUtcNow());

        Assert.Equal([("server", "signed by another authority")], Store.Ensure([_server]));
    }

    [Fact]
    public void A_key_is_for_its_owner_only_and_a_client_cannot_pose_as_a_server()
    {
        CertificateWanted client = new() { Name = "client", Authority = AuthorityFiles.Kubernetes, CommonName = "vks-admin", Organization = "system:masters" };
        Store.Ensure([_server, client]);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "server.key")));
        Assert.Equal(["1.3.6.1.5.5.7.3.2"], Usages("client"));
        Assert.Equal(["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"], Usages("server"));
    }

    [Fact]
    public void Without_its_authority_nothing_is_made_and_the_message_says_what_to_do()
    {
        File.Delete(Path.Combine(_folder, "ca.key"));

        SupervisorException fault = Assert.Throws<SupervisorException>(() => Store.Ensure([_server]));

        Assert.Contains("supervisor member authorities", fault.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folder, "server.crt")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Serial()
    {
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, "server.crt"));
        return certificate.SerialNumber;
    }

    private IEnumerable<string> Usages(string name)
    {
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, name + ".crt"));
        return [.. certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Cast<System.Security.Cryptography.Oid>().Select(static usage => usage.Value!)];
    }
}
