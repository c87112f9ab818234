using Vks.Supervisor;
using Vks.Supervisor.ControlPlane;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>The settings file of a member: what is wrong in it is told at once, and nothing else happens.</summary>
public sealed class MemberSettingsFileTests : IDisposable
{
    private readonly string _programs = Directory.CreateTempSubdirectory("vks-test-").FullName;

    public MemberSettingsFileTests()
    {
        foreach (string program in new[] { "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd" })
        {
            File.WriteAllText(Path.Combine(_programs, program), "");
        }
    }

    private string Good => $$"""
        cluster: demo
        name: a
        directory: /var/lib/vks-member
        programs: {{_programs}}
        etcd: {{_programs}}/etcd
        link: lo
        prefix: 24
        address: 10.0.0.11
        floatingAddress: 10.0.0.14
        members:
        - { name: a, address: 10.0.0.11 }
        - { name: b, address: 10.0.0.12 }
        """;

    [Fact]
    public void What_is_not_said_has_its_usual_value()
    {
        MemberSettings settings = MemberSettingsFile.Parse(Good);

        Assert.Equal((MemberSize.Small, 90, 30, "10.96.0.1"), (settings.Size, settings.CertificateDays, settings.Audit.MaxAgeDays, settings.ServiceAddress.ToString()));
        Assert.Null(settings.Oidc);
        Assert.Equal(["a", "b"], settings.Members.Select(static member => member.Name));
    }

    [Fact]
    public void All_faults_are_told_at_once_with_their_lines()
    {
        SupervisorException fault = Assert.Throws<SupervisorException>(() => MemberSettingsFile.Parse($$"""
            cluster: Demo!
            name: c
            directory: relative
            programs: /nowhere
            etcd: {{_programs}}/etcd
            size: huge
            link: no-such-link
            prefix: 24
            address: 10.0.0.11
            floatingAddress: 10.0.1.14
            members:
            - { name: a, address: 10.0.0.300 }
            oidc: { issuerUrl: "http://x", clientId: y, colour: red }
            certificateDays: 0
            """));

        Assert.Equal(SupervisorFault.Settings, fault.Fault);
        foreach (string told in new[]
        {
            "line 1: cluster is 'Demo!'", "line 3: directory is 'relative'", "line 4: programs is /nowhere, which lacks kube-apiserver", "line 6: size is 'huge', which is none of tiny",
            "line 7: link is 'no-such-link'", "line 10: floatingAddress is 10.0.1.14, which is not in the management network 10.0.0.0/24", "line 12: members[0].address is '10.0.0.300'",
            "must name this member, 'c'", "line 13: oidc.issuerUrl is 'http://x'", "line 13: oidc.colour is unknown", "line 14: certificateDays is '0'",
        })
        {
            Assert.Contains(told, fault.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("services: 10.0.0.0/16", "services 10.0.0.0/16 and the management network 10.0.0.0/24 have addresses in common")]
    [InlineData("pods: 10.96.128.0/17", "services 10.96.0.0/16 and pods 10.96.128.0/17 have addresses in common")]
    [InlineData("services: 10.96.0.1/16", "is '10.96.0.1/16', which is no range of addresses")]
    [InlineData("placement: 10.0.0.11:10270", "placement is '10.0.0.11:10270'; give an address of loopback and a port")]
    [InlineData("placement: 127.0.0.1", "placement is '127.0.0.1'; give an address of loopback and a port")]
    [InlineData("featureGates: EphemeralContainers", "featureGates is 'EphemeralContainers'; write it as NAME=true,OTHER=false")]
    [InlineData("zone: Zone_1", "zone is 'Zone_1', which is no DNS label")]
    public void Values_that_cannot_be_are_refused(string line, string told) =>
        Assert.Contains(told, Assert.Throws<SupervisorException>(() => MemberSettingsFile.Parse(Good + "\n" + line)).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_file_that_a_program_is_told_of_is_one_that_the_member_makes()
    {
        MemberSettings settings = MemberSettingsFile.Parse(Good + "\noidc: { issuerUrl: 'https://login.example', clientId: vks, groupsClaim: groups }");
        HashSet<string> made =
        [
            .. MemberCertificates.Of(settings, []).SelectMany(certificate => new[] { $"{certificate.Name}.crt", $"{certificate.Name}.key", $"{certificate.Name}.kubeconfig" }),
            .. Vks.Supervisor.Pki.AuthorityFiles.All,
        ];

        ProgramPlan[] plans = [MemberPrograms.PlanEtcd(settings), MemberPrograms.PlanApiServer(settings, isEmulated: false), MemberPrograms.PlanControllerManager(settings), MemberPrograms.PlanScheduler(settings)];

        string[] files = [.. plans.SelectMany(static plan => plan.Arguments).Where(argument => argument.StartsWith(settings.PkiDirectory, StringComparison.Ordinal)).Select(static file => Path.GetFileName(file))];
        Assert.True(files.Length > 15);
        Assert.All(files, file => Assert.Contains(file, made));
        Assert.Contains("--oidc-groups-claim=groups", plans[1].Arguments);
        Assert.Contains("--leader-elect=true", plans[2].Arguments);
    }

    [Fact]
    public void Only_on_an_emulated_processor_has_the_API_server_minutes_for_one_request()
    {
        MemberSettings settings = MemberSettingsFile.Parse(Good);

        Assert.Contains("5m", MemberPrograms.PlanApiServer(settings, EmulatedProcessor.IsSaidBy("model name\t: QEMU TCG CPU version 2.5+")).Arguments);
        Assert.DoesNotContain("--request-timeout", MemberPrograms.PlanApiServer(settings, EmulatedProcessor.IsSaidBy("model name\t: Intel(R) Xeon(R) Processor")).Arguments);
    }

    public void Dispose() => Directory.Delete(_programs, recursive: true);
}
