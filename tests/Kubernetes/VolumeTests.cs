using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>Volumes that a kubelet prepares on the node, as pods see them in their guests.</summary>
[Collection(KubernetesCollection.Name)]
public sealed class VolumeTests(KubernetesLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Config_secrets_tokens_and_the_pods_own_fields_show_and_follow_their_sources()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.KubectlAsync("create", "configmap", "cm", "--from-literal=key=before");
        await space.KubectlAsync("create", "secret", "generic", "sec", "--from-literal=word=hidden");
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: reads, labels: { color: red } }
            spec:
              terminationGracePeriodSeconds: 0
              containers:
              - name: c
                image: IMAGE
                command: [sleep, "1000"]
                env: [ { name: WORD, valueFrom: { secretKeyRef: { name: sec, key: word } } }, { name: IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } } ]
                volumeMounts:
                - { name: cm, mountPath: /cm }
                - { name: cm, mountPath: /one/key, subPath: key }
                - { name: sec, mountPath: /sec, readOnly: true }
                - { name: all, mountPath: /all }
              volumes:
              - { name: cm, configMap: { name: cm } }
              - { name: sec, secret: { secretName: sec, defaultMode: 0400 } }
              - name: all
                projected:
                  sources:
                  - { serviceAccountToken: { path: token, expirationSeconds: 3600 } }
                  - { downwardAPI: { items: [ { path: labels, fieldRef: { fieldPath: metadata.labels } } ] } }
                  - { configMap: { name: cm } }
            """);
        await space.ReadyAsync("reads");

        Assert.Equal("before before hidden 400", (await space.ExecAsync("reads", "echo $(cat /cm/key) $(cat /one/key) $(cat /sec/word) $(stat -L -c %a /sec/word)")).Trim());
        Assert.Equal($"hidden {await space.FieldAsync("pod/reads", ".status.podIP")}", (await space.ExecAsync("reads", "echo $WORD $IP")).Trim());
        Assert.Equal(3, (await space.ExecAsync("reads", "cat /all/token")).Split('.').Length);
        Assert.Contains("color=\"red\"", await space.ExecAsync("reads", "cat /all/labels"), StringComparison.Ordinal);
        Assert.NotEqual("0", (await space.ExecAsync("reads", "echo x > /sec/new 2>/dev/null; echo $?")).Trim());

        await space.KubectlAsync("patch", "configmap", "cm", "-p", "{\"data\":{\"key\":\"after\"}}");
        await space.KubectlAsync("label", "pod", "reads", "color=blue", "--overwrite");
        string seen = "";
        await Eventually.TrueAsync(
            async () => (seen = await space.ExecAsync("reads", "cat /cm/key /all/labels")).Contains("after", StringComparison.Ordinal) && seen.Contains("blue", StringComparison.Ordinal),
            TimeSpan.FromSeconds(60), () => seen + lab.Logs(), Token);
        Assert.Equal("before", await space.ExecAsync("reads", "cat /one/key"));
    }

    [Fact]
    public async Task What_containers_of_a_pod_write_into_an_emptyDir_they_share_and_its_group_is_the_pods()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: shared }
            spec:
              terminationGracePeriodSeconds: 0
              securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2345 }
              volumes: [ { name: disk, emptyDir: {} }, { name: memory, emptyDir: { medium: Memory, sizeLimit: 4Mi } } ]
              containers:
              - { name: a, image: IMAGE, command: [sleep, "1000"], volumeMounts: [ { name: disk, mountPath: /disk }, { name: disk, mountPath: /below, subPath: sub/path }, { name: memory, mountPath: /memory } ] }
              - { name: b, image: IMAGE, command: [sleep, "1000"], volumeMounts: [ { name: disk, mountPath: /disk }, { name: disk, mountPath: /ro, readOnly: true } ] }
            """);
        await space.ReadyAsync("shared");

        await space.KubectlAsync("exec", "shared", "-c", "a", "--", "sh", "-c", "echo from a > /disk/file; echo m > /memory/file");
        Assert.Equal("from a\n", await space.KubectlAsync("exec", "shared", "-c", "b", "--", "cat", "/ro/file"));
        Assert.Equal("1000 2345", (await space.KubectlAsync("exec", "shared", "-c", "b", "--", "stat", "-c", "%u %g", "/disk/file")).Trim());
        Assert.Contains("2345", await space.KubectlAsync("exec", "shared", "-c", "a", "--", "id"), StringComparison.Ordinal);
        await space.KubectlAsync("exec", "shared", "-c", "b", "--", "sh", "-c", "mv /disk/file /disk/moved; echo more >> /disk/moved");
        Assert.Equal("from a\nmore\n", await space.KubectlAsync("exec", "shared", "-c", "a", "--", "cat", "/disk/moved"));
        Assert.NotEqual(0, (await lab.TryKubectlAsync(null, "-n", space.Name, "exec", "shared", "-c", "b", "--", "touch", "/ro/no")).ExitCode);
        Assert.Equal("tmpfs 4096", (await space.KubectlAsync("exec", "shared", "-c", "a", "--", "sh", "-c", "df -kT /memory | awk 'NR == 2 { print $2, $3 }'")).Trim());
        await space.KubectlAsync("exec", "shared", "-c", "b", "--", "sh", "-c", "mkfifo /disk/pipe; echo through it > /disk/pipe &");
        Assert.Equal("through it\n", await space.KubectlAsync("exec", "shared", "-c", "a", "--", "cat", "/disk/pipe"));
        Assert.Equal("below\n", await space.KubectlAsync("exec", "shared", "-c", "a", "--", "sh", "-c", "echo below > /below/file; cat /disk/sub/path/file"));
    }

    [Fact]
    public async Task A_pod_that_writes_more_into_an_emptyDir_than_it_may_is_evicted()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: greedy }
            spec:
              terminationGracePeriodSeconds: 0
              containers: [ { name: c, image: IMAGE, command: [sh, -c, "dd if=/dev/zero of=/v/big bs=1M count=32; sleep 1000"], volumeMounts: [ { name: v, mountPath: /v } ] } ]
              volumes: [ { name: v, emptyDir: { sizeLimit: 8Mi } } ]
            """);

        await space.WaitAsync("pod/greedy", ".status.reason", "Evicted", TimeSpan.FromSeconds(90));

        Assert.Contains("exceeds the limit \"8Mi\"", await space.FieldAsync("pod/greedy", ".status.message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Host_paths_are_shared_and_a_socket_is_refused_with_a_reason()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await lab.OnHostAsync("node-1", "sh", "-c", "mkdir -p /var/lib/host-path && echo of the node > /var/lib/host-path/file");
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: paths }
            spec:
              nodeName: node-1
              terminationGracePeriodSeconds: 0
              containers:
              - { name: c, image: IMAGE, command: [sleep, "1000"], volumeMounts: [ { name: dir, mountPath: /dir }, { name: file, mountPath: /file }, { name: new, mountPath: /new, subPath: below } ] }
              volumes:
              - { name: dir, hostPath: { path: /var/lib/host-path, type: Directory } }
              - { name: file, hostPath: { path: /var/lib/host-path/file, type: File } }
              - { name: new, hostPath: { path: /var/lib/host-path/made, type: DirectoryOrCreate } }
            ---
            apiVersion: v1
            kind: Pod
            metadata: { name: socket }
            spec:
              nodeName: node-1
              terminationGracePeriodSeconds: 0
              containers: [ { name: c, image: IMAGE, command: [sleep, "1000"], volumeMounts: [ { name: s, mountPath: /s } ] } ]
              volumes: [ { name: s, hostPath: { path: /run/vks/spherelet.sock } } ]
            """);
        await space.ReadyAsync("paths");

        Assert.Equal("of the node\nof the node\n", await space.ExecAsync("paths", "cat /dir/file /file"));
        await space.ExecAsync("paths", "echo of the pod > /new/written");
        Assert.Equal("of the pod\n", await lab.OnHostAsync("node-1", "cat", "/var/lib/host-path/made/below/written"));
        await space.EventAsync("socket", "is neither a file nor a directory; only those can be shared with a machine");
    }

    [Fact]
    public async Task A_raw_block_volume_is_a_device_of_its_pods_and_can_be_given_for_reading_alone()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        string volume = "block-" + space.Name;
        string device = (await lab.OnHostAsync("node-1", "sh", "-c", $"truncate -s 16M /var/lib/{volume}.img && losetup --find --show /var/lib/{volume}.img")).Trim();
        try
        {
            await space.ApplyAsync($$"""
                apiVersion: v1
                kind: PersistentVolume
                metadata: { name: {{volume}} }
                spec:
                  capacity: { storage: 16Mi }
                  volumeMode: Block
                  accessModes: [ ReadWriteOnce ]
                  persistentVolumeReclaimPolicy: Delete
                  storageClassName: {{volume}}
                  local: { path: {{device}} }
                  nodeAffinity: { required: { nodeSelectorTerms: [ { matchExpressions: [ { key: kubernetes.io/hostname, operator: In, values: [ node-1 ] } ] } ] } }
                ---
                apiVersion: v1
                kind: PersistentVolumeClaim
                metadata: { name: claim }
                spec: { storageClassName: {{volume}}, volumeMode: Block, accessModes: [ ReadWriteOnce ], resources: { requests: { storage: 16Mi } } }
                """);
            await space.ApplyAsync(Pod("writes", "printf kept | dd of=/dev/xvda conv=fsync,notrunc 2>/dev/null && wc -c < /dev/xvda", readOnly: false));
            await space.WaitAsync("pod/writes", ".status.phase", "Succeeded");
            Assert.Equal("16777216\n", await space.KubectlAsync("logs", "writes"));
            Assert.Equal("kept", await lab.OnHostAsync("node-1", "head", "-c", "4", device));
            await space.KubectlAsync("delete", "pod", "writes");

            await space.ApplyAsync(Pod("reads", "head -c 4 /dev/xvda; printf lost | dd of=/dev/xvda conv=notrunc 2>/dev/null || echo ' only read'", readOnly: true));
            await space.WaitAsync("pod/reads", ".status.phase", "Succeeded");
            Assert.Equal("kept only read\n", await space.KubectlAsync("logs", "reads"));
        }
        finally
        {
            await lab.TryKubectlAsync(null, "-n", space.Name, "delete", "pod", "--all");
            await lab.TryKubectlAsync(null, "-n", space.Name, "delete", "pvc", "claim");
            await lab.TryKubectlAsync(null, "delete", "pv", volume);
            await lab.OnHostAsync("node-1", "losetup", "--detach", device);
        }

        string left = "";
        await Eventually.TrueAsync(
            async () => (left = await lab.OnHostAsync("node-1", "losetup", "--associated", $"/var/lib/{volume}.img")).Length == 0, TimeSpan.FromSeconds(30), () => left + lab.Logs(), Token);

        static string Pod(string name, string command, bool readOnly) => $$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: {{name}} }
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 0
              containers: [ { name: c, image: IMAGE, command: [sh, -c, {{System.Text.Json.JsonSerializer.Serialize(command)}}], volumeDevices: [ { name: d, devicePath: /dev/xvda } ] } ]
              volumes: [ { name: d, persistentVolumeClaim: { claimName: claim, readOnly: {{(readOnly ? "true" : "false")}} } } ]
            """;
    }

    [Fact]
    public async Task A_local_volume_keeps_what_was_written_for_the_next_pod()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        string volume = "pv-" + space.Name;
        await lab.OnHostAsync("node-2", "mkdir", "-p", $"/var/lib/{volume}");
        await space.ApplyAsync($$"""
            apiVersion: v1
            kind: PersistentVolume
            metadata: { name: {{volume}} }
            spec:
              capacity: { storage: 1Gi }
              accessModes: [ ReadWriteOnce ]
              persistentVolumeReclaimPolicy: Delete
              storageClassName: {{volume}}
              local: { path: /var/lib/{{volume}} }
              nodeAffinity: { required: { nodeSelectorTerms: [ { matchExpressions: [ { key: kubernetes.io/hostname, operator: In, values: [ node-2 ] } ] } ] } }
            ---
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: { name: claim }
            spec: { storageClassName: {{volume}}, accessModes: [ ReadWriteOnce ], resources: { requests: { storage: 1Gi } } }
            """);
        try
        {
            await space.ApplyAsync(Pod("writes", "echo kept > /data/file; sync"));
            await space.WaitAsync("pod/writes", ".status.phase", "Succeeded");
            await space.KubectlAsync("delete", "pod", "writes");
            await space.ApplyAsync(Pod("reads", "cat /data/file"));
            await space.WaitAsync("pod/reads", ".status.phase", "Succeeded");

            Assert.Equal("kept\n", await space.KubectlAsync("logs", "reads"));
            Assert.Equal("node-2", await space.FieldAsync("pod/reads", ".spec.nodeName"));
        }
        finally
        {
            await lab.TryKubectlAsync(null, "-n", space.Name, "delete", "pod", "--all");
            await lab.TryKubectlAsync(null, "-n", space.Name, "delete", "pvc", "claim");
            await lab.TryKubectlAsync(null, "delete", "pv", volume);
        }

        static string Pod(string name, string command) => $$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: {{name}} }
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 0
              containers: [ { name: c, image: IMAGE, command: [sh, -c, "{{command}}"], volumeMounts: [ { name: d, mountPath: /data } ] } ]
              volumes: [ { name: d, persistentVolumeClaim: { claimName: claim } } ]
            """;
    }
}
